//! The benchmarks' operator: per record the key's count and the sum of its values' first bytes, as 16 bytes that are also the
//! key's state. `host/engine` has the same operator natively; what the two take per record is compared.

use weir_guest::prelude::*;

/// Two little-endian numbers of 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records so far.
    pub count: u64,
    /// The sum of their first bytes; an empty value adds nothing.
    pub sum: u64,
}

impl Tally {
    /// The tally after one more record.
    #[inline]
    pub fn plus(self, value: &[u8]) -> Self {
        let first = value.first().copied().unwrap_or(0);
        Self { count: self.count.wrapping_add(1), sum: self.sum.wrapping_add(u64::from(first)) }
    }

    /// Count, then sum.
    #[inline]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.count) | u128::from(self.sum) << 64).to_le_bytes()
    }
}

impl RawState for Tally {
    #[inline]
    fn decode(bytes: &[u8]) -> Option<Self> {
        let both = u128::from_le_bytes(bytes.try_into().ok()?);
        Some(Self { count: both as u64, sum: (both >> 64) as u64 })
    }

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }
}

/// The state of a key.
#[derive(States)]
pub struct Tallies {
    tally: ValueState<Tally, Raw>,
}

/// The operator.
pub struct KeyedCount;

impl Operator for KeyedCount {
    const NAME: &'static str = "keyed-count";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = Tallies;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let tally = ctx.tally.get()?.copied().unwrap_or_default().plus(record.value());
        ctx.tally.set(tally)?;
        ctx.emit(tally.to_bytes());
        Ok(())
    }
}

weir_guest::export!(KeyedCount);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing::{TestHost, TestRecord, assert_cuts_agree};

    #[test]
    fn every_record_updates_its_key_and_is_emitted() {
        let mut host = TestHost::<KeyedCount>::open("{}").expect("opens");
        host.send(&[TestRecord::new("A").key("x"), TestRecord::new("").key("y"), TestRecord::new("B").key("x")]).expect("counts");
        let expect =
            [("x", 1, 65), ("y", 1, 0), ("x", 2, 131)].map(|(key, count, sum)| TestRecord::new(Tally { count, sum }.to_bytes()).key(key));
        assert_eq!(host.emitted(), expect);
        assert_eq!(host.value("tally", "x"), Some(&Tally { count: 2, sum: 131 }.to_bytes()[..]));
    }

    #[test]
    fn the_bytes_are_two_little_endian_numbers() {
        let mut bytes = [0; 16];
        (bytes[0], bytes[9]) = (3, 1);
        assert_eq!(Tally { count: 3, sum: 256 }.to_bytes(), bytes);
        assert_eq!(Tally::decode(&bytes), Some(Tally { count: 3, sum: 256 }));
        assert_eq!(Tally::decode(&bytes[1..]), None);
    }

    #[test]
    fn cuts_change_nothing() {
        let records: Vec<_> = (0..500u32).map(|n| (0, TestRecord::new(n.to_string()).key((n % 7).to_string()))).collect();
        assert_cuts_agree::<KeyedCount>("{}", &Setup::default(), &records, 1);
    }
}
