//! Copies and comparisons of few bytes, in place: keys and the values of counters are short, and a call out costs more than such bytes do.

/// Copies `from`, up to 32 bytes, over as many: two moves that may overlap, where a call would cost more than the copy.
#[inline]
pub(crate) fn copy_short(to: &mut [u8], from: &[u8]) {
    debug_assert!(to.len() == from.len() && to.len() <= 32);
    if let (Some(head), Some(tail)) = (from.first_chunk::<16>(), from.last_chunk::<16>()) {
        to[..16].copy_from_slice(head);
        let at = to.len() - 16;
        to[at..].copy_from_slice(tail);
    } else if let (Some(head), Some(tail)) = (from.first_chunk::<8>(), from.last_chunk::<8>()) {
        to[..8].copy_from_slice(head);
        let at = to.len() - 8;
        to[at..].copy_from_slice(tail);
    } else {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// Compares up to 32 bytes with as many, in the manner of [`copy_short`].
#[inline]
pub(crate) fn same_short(a: &[u8], b: &[u8]) -> bool {
    debug_assert!(a.len() == b.len() && a.len() <= 32);
    if a.len() >= 16 {
        a.first_chunk::<16>() == b.first_chunk::<16>() && a.last_chunk::<16>() == b.last_chunk::<16>()
    } else if a.len() >= 8 {
        a.first_chunk::<8>() == b.first_chunk::<8>() && a.last_chunk::<8>() == b.last_chunk::<8>()
    } else {
        a.iter().zip(b).all(|(a, b)| a == b)
    }
}

/// True where the two are the same.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && if a.len() <= 32 { same_short(a, b) } else { a == b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_the_same_where_each_byte_is() {
        for len in 0..=40 {
            let bytes: Vec<u8> = (1..=len).collect();
            assert!(same(&bytes, &bytes.clone()) && !same(&bytes, &[&bytes[..], b"x"].concat()));
            for changed in 0..bytes.len() {
                let mut other = bytes.clone();
                other[changed] ^= 0x80;
                assert!(!same(&bytes, &other), "byte {changed} of {len}");
            }
        }
    }
}
