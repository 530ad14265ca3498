//! LEB128 numbers and length-prefixed byte strings: what blocks of state are made of.

/// Appends `number`, seven bits to a byte, the low ones first.
#[inline]
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends the length of `bytes` and the bytes.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Why a number or a byte string could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The input ends inside it.
    Truncated,
    /// The number does not fit 64 bits.
    Overflow,
    /// The byte string is this long, but only so many bytes are left.
    PastTheEnd { length: u64, left: usize },
}

impl Malformed {
    /// The same of `what` it was.
    pub fn says(self, what: &str) -> String {
        match self {
            Self::Truncated => format!("it ends inside {what}"),
            Self::Overflow => format!("{what} does not fit 64 bits"),
            Self::PastTheEnd { length, left } => format!("{what} is said to have {length} bytes, but {left} are left"),
        }
    }
}

/// Takes a number off the front of `input`, which does not change on failure.
#[inline]
pub(crate) fn take_number(input: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for (at, &byte) in input.iter().enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * at as u32;
        if shift > 63 || (bits << shift) >> shift != bits {
            return Err(Malformed::Overflow);
        }
        number |= bits << shift;
        if byte < 0x80 {
            *input = &input[at + 1..];
            return Ok(number);
        }
    }
    Err(Malformed::Truncated)
}

/// Takes a length and as many bytes off the front of `input`.
#[inline]
pub(crate) fn take_bytes<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let length = take_number(input)?;
    let past_the_end = Malformed::PastTheEnd { length, left: input.len() };
    let (bytes, rest) = usize::try_from(length).ok().and_then(|length| input.split_at_checked(length)).ok_or(past_the_end)?;
    *input = rest;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            let mut input = &out[..];
            assert_eq!((take_number(&mut input), input), (Ok(number), &[][..]));
            assert_eq!(take_number(&mut &out[..out.len() - 1]), Err(Malformed::Truncated));
        }
    }

    #[test]
    fn numbers_over_64_bits_are_refused() {
        assert_eq!(take_number(&mut &[0xff; 11][..]), Err(Malformed::Overflow));
        assert_eq!(take_number(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..]), Err(Malformed::Overflow));
    }

    #[test]
    fn a_length_past_the_end_is_refused_without_allocating() {
        let mut out = Vec::new();
        put_number(&mut out, u64::MAX);
        out.extend_from_slice(b"abc");
        assert_eq!(take_bytes(&mut &out[..]), Err(Malformed::PastTheEnd { length: u64::MAX, left: 3 }));
    }
}
