//! Steady records per second: what a job does once it is running, without its start and without the wait for its last commit.
//!
//! While the job runs, the number of records at its sinks is sampled. From the moment when a quarter of the final total had arrived
//! to the moment when all of it had, the rate is what arrived between the two, divided by the time.

use std::time::Duration;

/// From one sample to the next, at first.
pub const SAMPLE_EVERY: Duration = Duration::from_millis(10);
/// Samples that are kept; beyond it every second one is dropped and sampling slows down by half.
const SAMPLES_MAX: usize = 1 << 14;

/// Records at the sinks at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Since the start.
    pub at: Duration,
    /// In all sinks so far.
    pub records: u64,
}

/// The samples of a run, bounded however long it takes.
#[derive(Clone, Debug)]
pub struct Samples {
    samples: Vec<Sample>,
    every: Duration,
}

impl Default for Samples {
    fn default() -> Self {
        Self { samples: Vec::new(), every: SAMPLE_EVERY }
    }
}

impl Samples {
    /// Adds the newest sample.
    pub fn push(&mut self, sample: Sample) {
        if self.samples.len() == SAMPLES_MAX {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.every *= 2;
        }
        self.samples.push(sample);
    }

    /// How long to wait before the next sample.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// All samples, oldest first.
    pub fn all(&self) -> &[Sample] {
        &self.samples
    }
}

/// When the first record had arrived.
pub fn first_record_at(samples: &[Sample]) -> Option<Duration> {
    samples.iter().find(|sample| sample.records > 0).map(|sample| sample.at)
}

/// Records per second from a quarter of the total to its end. None where the samples are too coarse to tell.
pub fn steady_records_per_s(samples: &[Sample]) -> Option<f64> {
    let total = samples.last()?.records;
    let quarter = samples.iter().find(|sample| sample.records > 0 && sample.records >= total.div_ceil(4))?;
    let end = samples.iter().find(|sample| sample.records == total)?;
    let seconds = end.at.checked_sub(quarter.at)?.as_secs_f64();
    (seconds > 0.0).then(|| (total - quarter.records) as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: &[(u64, u64)]) -> Vec<Sample> {
        of.iter().map(|&(ms, records)| Sample { at: Duration::from_millis(ms), records }).collect()
    }

    #[test]
    fn the_start_and_the_last_commit_do_not_count() {
        // Slow up to a quarter, 1,000 a second from there, and half a second of nothing at the end.
        let of = samples(&[(0, 0), (5_000, 100), (10_000, 1_000), (11_000, 2_000), (13_000, 4_000), (13_500, 4_000)]);
        assert_eq!(steady_records_per_s(&of), Some(1_000.0));
    }

    #[test]
    fn a_quarter_that_falls_between_two_samples_counts_from_the_later() {
        assert_eq!(steady_records_per_s(&samples(&[(0, 0), (1_000, 400), (2_000, 1_000)])), Some(600.0));
    }

    #[test]
    fn nothing_is_said_where_nothing_can_be_known() {
        assert_eq!(steady_records_per_s(&[]), None);
        assert_eq!(steady_records_per_s(&samples(&[(0, 0), (10, 0)])), None);
        assert_eq!(steady_records_per_s(&samples(&[(0, 0), (10, 500)])), None);
    }

    #[test]
    fn the_first_record_is_the_first_sample_that_has_one() {
        assert_eq!(first_record_at(&samples(&[(0, 0), (10, 0), (20, 3), (30, 9)])), Some(Duration::from_millis(20)));
        assert_eq!(first_record_at(&samples(&[(0, 0)])), None);
    }

    #[test]
    fn a_long_run_keeps_few_samples_and_the_same_rate() {
        let mut kept = Samples::default();
        let mut at = Duration::ZERO;
        for _ in 0..100_000 {
            kept.push(Sample { at, records: at.as_millis() as u64 });
            at += kept.every();
        }
        assert!(kept.all().len() <= SAMPLES_MAX && kept.every() > SAMPLE_EVERY);
        let rate = steady_records_per_s(kept.all()).expect("a rate");
        assert!((rate - 1_000.0).abs() < 1.0, "{rate}");
    }
}
