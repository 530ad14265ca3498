//! Chance in tests of the real binary: where the kills and the flipped bits fall. The seed is printed when the test fails.

use std::ops::RangeBounds;

/// A source of chance for one test. `WEIR_SEED` names its seed, else every run has another.
///
/// The processes under test are not simulated, so the same seed draws the same numbers but does not repeat a run to the instruction.
pub struct Seed {
    seed: u64,
    rng: fastrand::Rng,
}

impl Seed {
    /// The seed of this run.
    pub fn of_run() -> Self {
        let named = std::env::var("WEIR_SEED").ok().map(|seed| seed.parse().expect("WEIR_SEED is a number"));
        Self::of(named.unwrap_or_else(|| fastrand::u64(..1_000_000)))
    }

    /// This seed.
    pub fn of(seed: u64) -> Self {
        Self { seed, rng: fastrand::Rng::with_seed(seed) }
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.seed
    }

    /// A number in `range`.
    pub fn draw(&mut self, range: impl RangeBounds<u64>) -> u64 {
        self.rng.u64(range)
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.rng.usize(..items.len())]
    }

    /// True or false.
    pub fn coin(&mut self) -> bool {
        self.rng.bool()
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}; rerun with WEIR_SEED={}", self.seed, self.seed);
        }
    }
}
