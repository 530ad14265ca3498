//! The promise of every operator, as a check: the same effects in the same order, wherever the input is cut.

use super::record::TestRecord;
use super::test_host::TestHost;
use crate::operator::{Operator, Setup};

/// How many ways of cutting are tried.
const RUNS: u64 = 50;

/// Runs `records`, each with the number of its input, in batches as long as possible, and again cut at random with the
/// instance replaced at random; panics, with the seed, where outputs, state or metrics differ, or where a record fails.
pub fn assert_cuts_agree<O: Operator>(config: &str, setup: &Setup, records: &[(u32, TestRecord)], seed: u64) {
    let open = || TestHost::<O>::open_with(config, setup.clone()).unwrap_or_else(|error| panic!("open {}: {error}", O::NAME));
    let mut whole = open();
    for run in records.chunk_by(|(a, _), (b, _)| a == b) {
        send(&mut whole, run, "uncut");
    }
    for seed in seed..seed + RUNS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cut = open();
        for run in records.chunk_by(|(a, _), (b, _)| a == b) {
            let mut rest = run;
            while !rest.is_empty() {
                let longest = rest.len().min(1 << random.u32(0..11));
                let (batch, after) = rest.split_at(random.usize(1..=longest));
                send(&mut cut, batch, &format!("seed {seed}"));
                if random.u8(0..4) == 0 {
                    cut.replace_instance().unwrap_or_else(|error| panic!("seed {seed}: open {} again: {error}", O::NAME));
                }
                rest = after;
            }
        }
        let (cut, whole) = (cut.results(), whole.results());
        assert!(cut == whole, "seed {seed}: {} does not give the same when its input is cut\n  cut: {cut:?}\nuncut: {whole:?}", O::NAME);
    }
}

fn send<O: Operator>(host: &mut TestHost<O>, run: &[(u32, TestRecord)], what: &str) {
    let records: Vec<TestRecord> = run.iter().map(|(_, record)| record.clone()).collect();
    if let Err(failure) = host.send_to(run[0].0, &records) {
        panic!("{what}: {} fails at {:?}: {}", O::NAME, failure.record.map(|record| &records[record]), failure.message);
    }
}
