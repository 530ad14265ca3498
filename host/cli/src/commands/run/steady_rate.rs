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
    /// Read by all sources so far.
    pub read: u64,
}

/// Records per second of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SteadyRates {
    /// That arrive at the sinks.
    pub at_sinks: f64,
    /// That the sources read meanwhile: of a job that filters the larger number. `None` where all had been read before.
    pub read: Option<f64>,
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
///
/// What is measured ends when everything is at the sinks and everything has been read: a filter's last record may be long in front of the end.
pub fn steady_rates(samples: &[Sample]) -> Option<SteadyRates> {
    let &Sample { records: total, read: all, .. } = samples.last()?;
    let quarter = samples.iter().find(|sample| sample.records > 0 && sample.records >= total.div_ceil(4))?;
    let since_quarter = |end: &Sample| Some(end.at.checked_sub(quarter.at)?.as_secs_f64()).filter(|&seconds| seconds > 0.0);
    let arrived = samples.iter().find(|sample| sample.records == total)?;
    let read = samples.iter().find(|sample| sample.records == total && sample.read == all)?;
    let at_sinks = (total - quarter.records) as f64 / since_quarter(arrived)?;
    let read_since = Some(all - quarter.read).filter(|&read_since| read_since > 0);
    let read_for = since_quarter(read)?;
    Some(SteadyRates { at_sinks, read: read_since.map(|read_since| read_since as f64 / read_for) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: &[(u64, u64)]) -> Vec<Sample> {
        of.iter().map(|&(ms, records)| Sample { at: Duration::from_millis(ms), records, read: 10 * records }).collect()
    }

    fn steady_records_per_s(samples: &[Sample]) -> Option<f64> {
        let rates = steady_rates(samples)?;
        assert!(rates.read.is_some_and(|read| (read - 10.0 * rates.at_sinks).abs() < 1.0), "ten are read for each that arrives: {rates:?}");
        Some(rates.at_sinks)
    }

    #[test]
    fn a_filter_whose_last_record_arrives_early_is_measured_to_the_end_of_what_it_read() {
        let sample = |ms, records, read| Sample { at: Duration::from_millis(ms), records, read };
        let of = [sample(0, 0, 0), sample(1_000, 1, 1_000), sample(3_000, 3, 9_000), sample(5_000, 3, 13_000), sample(6_000, 3, 13_000)];
        assert_eq!(steady_rates(&of), Some(SteadyRates { at_sinks: 1.0, read: Some(3_000.0) }));
    }

    #[test]
    fn where_all_had_been_read_before_a_quarter_arrived_nobody_knows_how_fast() {
        let sample = |ms, records, read| Sample { at: Duration::from_millis(ms), records, read };
        let of = [sample(0, 0, 0), sample(10, 0, 4_000), sample(20, 1_000, 4_000), sample(30, 4_000, 4_000)];
        assert_eq!(steady_rates(&of), Some(SteadyRates { at_sinks: 300_000.0, read: None }));
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
            kept.push(Sample { at, records: at.as_millis() as u64, read: 10 * at.as_millis() as u64 });
            at += kept.every();
        }
        assert!(kept.all().len() <= SAMPLES_MAX && kept.every() > SAMPLE_EVERY);
        let rate = steady_records_per_s(kept.all()).expect("a rate");
        assert!((rate - 1_000.0).abs() < 1.0, "{rate}");
    }
}
