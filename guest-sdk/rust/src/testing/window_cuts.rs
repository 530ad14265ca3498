//! The promise of every windowed operator, as a check: the same firings with the same results, wherever the input is cut.

use super::record::TestRecord;
use super::test_host::TestHost;
use super::window::TestWindow;
use crate::operator::{Operator, Setup};

/// How many ways of cutting are tried.
const RUNS: u64 = 50;
/// After so many records time goes on, to the largest that they had.
const RECORDS_OF_A_STRETCH: usize = 50;

/// Runs `records`, each with the number of its input, into windows, time going on by theirs every fifty records and to its end behind the last, in batches as
/// long as possible; and again cut at random, with the instance replaced at random. Panics, with the seed, where outputs, state,
/// late records or metrics differ, or where a record or a window fails.
pub fn assert_window_cuts_agree<O: Operator>(config: &str, setup: &Setup, window: TestWindow, records: &[(u32, TestRecord)], seed: u64) {
    let open = || {
        let host = TestHost::<O>::open_with(config, setup.clone()).unwrap_or_else(|error| panic!("open {}: {error}", O::NAME));
        host.with_window(window)
    };
    let mut whole = open();
    run(&mut whole, records, "uncut", None);
    for seed in seed..seed + RUNS {
        let mut cut = open();
        run(&mut cut, records, &format!("seed {seed}"), Some(fastrand::Rng::with_seed(seed)));
        let (cut, whole) = (cut.results(), whole.results());
        assert!(cut == whole, "seed {seed}: {} does not give the same when its input is cut\n  cut: {cut:?}\nuncut: {whole:?}", O::NAME);
    }
}

/// `random`: where it is cut.
fn run<O: Operator>(host: &mut TestHost<O>, records: &[(u32, TestRecord)], what: &str, mut random: Option<fastrand::Rng>) {
    for stretch in records.chunks(RECORDS_OF_A_STRETCH) {
        for of_input in stretch.chunk_by(|(a, _), (b, _)| a == b) {
            let mut rest = of_input;
            while !rest.is_empty() {
                let next = random.as_mut().map_or(rest.len(), |random| random.usize(1..=rest.len()));
                let (batch, after) = rest.split_at(next);
                let records: Vec<TestRecord> = batch.iter().map(|(_, record)| record.clone()).collect();
                if let Err(failure) = host.send_to(batch[0].0, &records) {
                    panic!("{what}: {} fails at {:?}: {}", O::NAME, failure.record.map(|record| &records[record]), failure.message);
                }
                rest = after;
                if let Some(random) = &mut random {
                    cut_firings(host, random, what);
                }
            }
        }
        let newest = stretch.iter().filter_map(|(_, record)| record.timestamp).max();
        let advanced = newest.map_or(Ok(()), |newest| host.advance_to(newest));
        advanced.unwrap_or_else(|failure| panic!("{what}: a window of {} fails: {}", O::NAME, failure.message));
    }
    host.end_input().unwrap_or_else(|failure| panic!("{what}: a window of {} fails: {}", O::NAME, failure.message));
}

/// From now on so many windows are in a call, and another instance may work them off.
fn cut_firings<O: Operator>(host: &mut TestHost<O>, random: &mut fastrand::Rng, what: &str) {
    if let Some(windowed) = &mut host.windowed {
        windowed.fired_max = random.usize(1..20);
    }
    if random.u8(0..4) == 0 {
        host.replace_instance().unwrap_or_else(|error| panic!("{what}: open {} again: {error}", O::NAME));
    }
}
