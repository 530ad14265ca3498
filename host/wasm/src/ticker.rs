//! The clock that interrupts guests: a thread of the operating system, because a busy guest never gives a task its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use wasmtime::Engine;

/// Counts time in ticks and moves an engine's epoch with them.
#[derive(Debug, Default)]
pub(crate) struct Ticker {
    ticks: AtomicU64,
}

impl Ticker {
    /// The time between two ticks.
    pub(crate) const PERIOD: Duration = Duration::from_millis(10);

    /// Starts the thread. It ends when the engine is gone.
    #[expect(clippy::disallowed_methods, reason = "the ticker is the one thread that must run while every data thread sits in a guest")]
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Arc<Self>> {
        let ticker = Arc::new(Self::default());
        let (ticks, engine) = (Arc::clone(&ticker), engine.weak());
        std::thread::Builder::new().name("weir-ticker".into()).spawn(move || {
            loop {
                std::thread::sleep(Self::PERIOD);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
                ticks.ticks.fetch_add(1, Relaxed);
            }
        })?;
        Ok(ticker)
    }

    /// A ticker that stands still.
    pub(crate) fn still() -> Arc<Self> {
        Arc::default()
    }

    /// Time since the start, in whole ticks.
    pub(crate) fn elapsed(&self) -> Duration {
        Self::PERIOD * u32::try_from(self.ticks.load(Relaxed)).unwrap_or(u32::MAX)
    }
}
