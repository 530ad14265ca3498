//! The second operator of queries 11 and 12: how many bids a bidder makes in a window, which is a session in the one and 10 s of the clock in the other.

use nexmark::{Bid, Numbers, Row};
use weir_guest::prelude::*;

/// What is kept of a bidder in a window.
#[derive(States)]
struct Bids {
    #[state(merge = |earlier, later| earlier + later)]
    count: ValueState<u64, Raw>,
}

struct BidsInWindows;

impl Operator for BidsInWindows {
    const NAME: &'static str = "nexmark-bids-in-windows";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Bids;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        Bid::read(record.value())?;
        ctx.count.update(|count| *count += 1)
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (Some(Window { start, end }), Some(Numbers([bidder]))) = (firing.window(), Numbers::decode(firing.key())) else {
            bail!("queries 11 and 12 count bids of a bidder in windows with bounds");
        };
        let count = ctx.count.get()?.copied().unwrap_or(0);
        ctx.emit_into(|out| {
            Row::new(out).number("bidder", bidder).number("bid_count", count).time("starttime", start).time("endtime", end).end()
        });
        Ok(())
    }
}

weir_guest::export!(BidsInWindows);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use weir_guest::testing::{TestHost, TestRecord, TestWindow};

    /// Query 12, whose windows go by the clock: as if it showed the time of the event that comes.
    #[test]
    fn windows_of_a_clock_that_a_test_holds_have_the_bids_of_their_ten_seconds() {
        let mut random = fastrand::Rng::with_seed(12);
        let mut host = TestHost::<BidsInWindows>::open("{}").expect("opens").with_window(TestWindow::tumbling(10_000).by_clock());
        let (mut clock, mut counts) = (0, BTreeMap::<(i64, u64), u64>::new());
        for _ in 0..2_000 {
            let passed = random.i64(0..500);
            clock += passed;
            host.advance_clock(passed).expect("no fault");
            let bidder = 1_000 + random.u64(0..20);
            let [auction, price] = [1_u64, 2].map(u64::to_le_bytes);
            let bid = [&[2][..], &clock.to_le_bytes(), &auction, &bidder.to_le_bytes(), &price].concat();
            host.send(&[TestRecord::new(bid).key(bidder.to_le_bytes())]).expect("no fault");
            *counts.entry((clock / 10_000 * 10_000, bidder)).or_default() += 1;
        }
        host.advance_clock(10_000).expect("no fault");
        let expect = counts.iter().map(|((start, bidder), count)| {
            format!(r#"{{"bidder":{bidder},"bid_count":{count},"starttime":{start},"endtime":{}}}"#, start + 10_000)
        });
        let mut rows: Vec<_> = host.emitted().iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect();
        let mut expect: Vec<_> = expect.collect();
        rows.sort();
        expect.sort();
        assert_eq!(rows, expect);
    }
}
