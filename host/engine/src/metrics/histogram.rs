//! How often something took how long: counts by bounds that are the same for all times that the engine measures.

use super::Counter;
use std::time::Duration;

/// Upper bounds, in seconds: from a batch of a fast operator to a checkpoint that takes minutes.
pub const BOUNDS_S: [f64; 14] = [0.000_01, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0];

/// Times, counted by [`BOUNDS_S`].
#[derive(Debug, Default)]
pub struct Histogram {
    /// One for each bound, and one for what lies beyond the last.
    counts: [Counter; BOUNDS_S.len() + 1],
    sum_ns: Counter,
}

/// What a [`Histogram`] has counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// By bound how often it was met, the bounds below not included; the last one has none and is infinite.
    pub counts: Vec<(f64, u64)>,
    /// How often altogether.
    pub count: u64,
    /// How long altogether, s.
    pub sum_s: f64,
}

impl Histogram {
    /// It took so long once more.
    pub fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let place = BOUNDS_S.partition_point(|bound| *bound < seconds);
        self.counts[place].add(1);
        self.sum_ns.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// What has been counted. Something that is being observed meanwhile is counted or not.
    pub fn get(&self) -> Observed {
        let bounds = BOUNDS_S.into_iter().chain([f64::INFINITY]);
        let counts: Vec<(f64, u64)> = bounds.zip(self.counts.iter().map(Counter::get)).collect();
        Observed { count: counts.iter().map(|(_, count)| count).sum(), counts, sum_s: self.sum_ns.get() as f64 / 1e9 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_at_the_first_bound_that_it_does_not_pass() {
        let histogram = Histogram::default();
        for micros in [1, 10, 11, 1_000, 1_001, 400_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let observed = histogram.get();
        let met: Vec<(f64, u64)> = observed.counts.iter().copied().filter(|(_, count)| *count > 0).collect();
        assert_eq!(met, [(0.000_01, 2), (0.000_1, 1), (0.001, 1), (0.005, 1), (f64::INFINITY, 1)]);
        assert_eq!((observed.count, (observed.sum_s * 1e6).round()), (6, 400_002_023.0));
    }
}
