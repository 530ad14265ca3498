//! What `keyed-count` keeps of a key, kept of a key in each of its windows, and emitted in the same 16 bytes when that is over: what the two take is compared.

use weir_guest::prelude::*;

/// Two little-endian numbers of 64 bits: records so far, and the sum of their first bytes.
#[derive(Clone, Copy, Default)]
pub struct Tally(u128);

impl RawState for Tally {
    #[inline]
    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self(u128::from_le_bytes(bytes.try_into().ok()?)))
    }

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
}

/// The state of a key in a window.
#[derive(States)]
pub struct Tallies {
    tally: ValueState<Tally, Raw>,
}

/// The operator.
pub struct WindowedCount;

impl Operator for WindowedCount {
    const NAME: &'static str = "windowed-count";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Tallies;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let first = record.value().first().copied().unwrap_or(0);
        let tally = ctx.tally.get()?.copied().unwrap_or_default().0.wrapping_add(1 | u128::from(first) << 64);
        ctx.tally.set(Tally(tally))
    }

    fn on_window(&mut self, _firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let tally = ctx.tally.get()?.copied().unwrap_or_default();
        ctx.emit(tally.0.to_le_bytes());
        Ok(())
    }
}

weir_guest::export!(WindowedCount);
