//! Ends the process at a named point of the checkpoint protocol, the way SIGKILL at that very moment would. For tests of the real binary
//! (`tests/it/crash_points.rs`), and behind the feature `crash-points`: what `cargo build -p weir` makes does not know the variable.
//!
//! `WEIR_CRASH_AT="put state before 3"` is the moment before the third state object is written. A point is a step, `before` or `after`, and the
//! how manieth of these. `WEIR_SLEEP_AT` is such a point at which the process is stopped as SIGSTOP would, until somebody sends it SIGCONT. Steps are the calls of a store with what they are for (`create log-attempt`, `create log-completed`,
//! `create log-failed`, `create log-finished`, `create plugins`, `create quarantine`, `create probe`, `put checkpoints`, `put state`, `get …`,
//! `list …`, `delete …` with a folder's name), a sink's `prepare` and `commit`, and of an outbox `take-over`, `read-marker`, `set-marker` and `publish`. Everything is decorated from outside: the protocol's own
//! code knows nothing of it.

mod sink;
mod store;
mod target;

use crate::failure::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use weir_engine::Committer;
use weir_engine::job::{JobGraph, JobOptions, VertexKind};
use weir_engine::sink::Committers;
use weir_engine::storage::Store;

/// The variables that name a point, and what happens at it.
const VARIABLES: [(&str, Fate); 2] = [("WEIR_CRASH_AT", Fate::Ends), ("WEIR_SLEEP_AT", Fate::Sleeps)];

/// What becomes of the process at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is killed.
    Ends,
    /// It is stopped until it is continued.
    Sleeps,
}

/// Where this process is to end, or to sleep; nowhere, unless a test says so.
#[derive(Clone)]
pub(super) struct CrashPoints(Option<Arc<CrashPoint>>);

/// A moment beside a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Nothing of it has been done.
    Before,
    /// It has been done, and nobody knows yet.
    After,
}

#[derive(Debug)]
struct CrashPoint {
    step: String,
    side: Side,
    nth: u64,
    fate: Fate,
    passed: AtomicU64,
}

impl CrashPoints {
    /// Those of the environment.
    pub(super) fn of_process() -> Result<Self, Failure> {
        let said = VARIABLES.into_iter().find_map(|(name, fate)| Some((name, fate, std::env::var_os(name)?)));
        let Some((name, fate, text)) = said else { return Ok(Self(None)) };
        let text = text.to_string_lossy();
        let point = CrashPoint::parse(&text, fate).ok_or_else(|| Failure::Usage {
            message: format!("{name}: `{text}` is no point to crash at"),
            hint: "for example `put state before 3`".into(),
        })?;
        Ok(Self(Some(Arc::new(point))))
    }

    /// The job that is run with the points around its steps.
    pub(super) fn around(&self, graph: JobGraph, options: JobOptions) -> (JobGraph, JobOptions) {
        let options = JobOptions { store: self.store(options.store), committers: self.committers(options.committers), ..options };
        (self.graph(graph), options)
    }

    /// `store`, with the points around its calls.
    fn store(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        match &self.0 {
            Some(point) => Arc::new(store::CrashingStore::new(store, point.clone())),
            None => store,
        }
    }

    /// `graph`, with the points around what its sinks prepare.
    fn graph(&self, mut graph: JobGraph) -> JobGraph {
        let Some(point) = &self.0 else { return graph };
        for vertex in &mut graph.vertices {
            if let VertexKind::Sink(sink) = &mut vertex.kind {
                *sink = Arc::new(sink::CrashingSink::new(sink.clone(), point.clone()));
            }
        }
        graph
    }

    /// `committers`, with the points around each commit.
    fn committers(&self, committers: Committers) -> Committers {
        let Some(point) = self.0.clone() else { return committers };
        Arc::new(move |connector: &str| {
            let committer: Arc<dyn Committer> = Arc::new(sink::CrashingCommitter::new(committers(connector)?, point.clone()));
            Some(committer)
        })
    }
}

impl CrashPoint {
    fn parse(text: &str, fate: Fate) -> Option<Self> {
        let (rest, nth) = text.trim().rsplit_once(' ')?;
        let (step, side) = rest.rsplit_once(' ')?;
        let side = match side {
            "before" => Side::Before,
            "after" => Side::After,
            _ => return None,
        };
        let nth = nth.parse().ok().filter(|&nth| nth > 0)?;
        Some(Self { step: step.to_owned(), side, nth, fate, passed: AtomicU64::new(0) })
    }

    /// Does `call`, which is the step `step`, unless the process is to end before or behind it.
    async fn around<T>(&self, step: &str, call: impl Future<Output = T>) -> T {
        self.pass(step, Side::Before);
        let done = call.await;
        self.pass(step, Side::After);
        done
    }

    fn pass(&self, step: &str, side: Side) {
        if self.is_reached(step, side) {
            match self.fate {
                Fate::Ends => end_process(),
                Fate::Sleeps => stop_process(),
            }
        }
    }

    fn is_reached(&self, step: &str, side: Side) -> bool {
        step == self.step && side == self.side && self.passed.fetch_add(1, Ordering::SeqCst) + 1 == self.nth
    }
}

/// SIGKILL: nothing is flushed, dropped or said.
fn end_process() -> ! {
    #[cfg(unix)]
    // It cannot fail; where it did, the line below ends the process as hard.
    let _: Result<(), _> = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    std::process::abort()
}

/// SIGSTOP: all threads stand still, and nobody is told.
fn stop_process() {
    #[cfg(unix)]
    // It cannot fail; where it did, the process would go on, and the test that asked for it says so.
    let _: Result<(), _> = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGSTOP);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_step_a_side_and_a_number() {
        let point = CrashPoint::parse("put state before 3", Fate::Ends).expect("a point");
        assert_eq!((point.step.as_str(), point.side, point.nth), ("put state", Side::Before, 3));
        let point = CrashPoint::parse("commit after 1", Fate::Sleeps).expect("a point");
        assert_eq!((point.step.as_str(), point.side, point.nth), ("commit", Side::After, 1));
        for wrong in ["", "commit", "commit after", "commit beside 1", "commit after 0", "commit after x"] {
            assert!(CrashPoint::parse(wrong, Fate::Ends).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_point_is_reached_once_at_its_number() {
        let point = CrashPoint::parse("put state after 2", Fate::Ends).expect("a point");
        let passes =
            [("put state", Side::After), ("put state", Side::Before), ("put checkpoints", Side::After), ("put state", Side::After)];
        assert_eq!(passes.map(|(step, side)| point.is_reached(step, side)), [false, false, false, true]);
        assert!(!point.is_reached("put state", Side::After));
    }
}
