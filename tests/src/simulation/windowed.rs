//! Windows of the engine: an operator that counts the records of a key in each of its windows, and says so when one is over. As in [`super::timed`] no record is ever
//! late, so what comes of it does not depend on what fails and is restored.

use super::kept::{Adding, Kept};
use super::operators::Faults;
use super::source::{in_bursts, in_order};
use super::speaking::into_windows;
use super::{Counter, Scenario};
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_engine::element::RecordBatch;
use weir_engine::operator::{OperatorDescriptor, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{FiredWindows, StateKind, StateMerger, WindowKind, WindowReason, WindowSettings};
use weir_engine::{BatchBuilder, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// Records of a key that are less than so many ms apart are of one session. They come out of order, so most sessions are pieced together.
const GAP: i64 = 8;

/// The same of records that come in bursts.
const BURST_GAP: i64 = 25;

/// The windows of the tumbling scenarios.
pub(super) fn tumbling() -> WindowSettings {
    WindowSettings::new(WindowKind::Tumbling { size: super::timed::WINDOW, offset: 0 })
}

/// The time of the records of a job that changes: those of sessions come in bursts, each of a few keys every now and then, and then a pause.
pub(super) fn time_of(counter: Counter) -> fn(u64) -> i64 {
    if counter == Counter::Sessions { in_bursts } else { counter.time() }
}

/// The windows of a job that changes.
pub(super) fn windows_of(counter: Counter, simulator: &Simulator) -> Option<WindowSettings> {
    let bursts = || WindowSettings::new(WindowKind::Session { gap: BURST_GAP });
    if counter == Counter::Sessions { Some(bursts()) } else { counter.windows(simulator) }
}

/// Those of the scenarios with sessions.
pub(super) fn sessions() -> WindowSettings {
    WindowSettings::new(WindowKind::Session { gap: GAP })
}

/// Counts by key and window.
pub struct WindowedFactory {
    descriptor: OperatorDescriptor,
    windowed: Windowed,
}

impl WindowedFactory {
    /// That fails so, and keeps its state so.
    pub(super) fn new(faults: Faults, mut kept: Kept) -> Arc<Self> {
        let descriptor = kept.describe_windowed("windowed", vec![kept.numbers("count", StateKind::Value)], 0);
        Arc::new(Self { descriptor, windowed: Windowed { faults, kept } })
    }
}

impl OperatorFactory for WindowedFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        Some(Arc::new(Adding(self.descriptor.states.clone())))
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(self.windowed.clone()))
    }
}

#[derive(Clone)]
struct Windowed {
    faults: Faults,
    kept: Kept,
}

impl Operator for Windowed {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("count in windows")?;
        let state = context.state.as_deref_mut().expect("a key edge");
        let kept = self.kept;
        let late = into_windows(state, batch, |state, _, key| {
            let counted = kept.number(state, key, 0)?.unwrap_or(0) + 1;
            state.set_value(key, kept.at(0), &kept.write(counted))?;
            kept.mark(state, key, counted)
        })?;
        match late {
            0 => Ok(()),
            _ => Err(EngineError::new(ErrorKind::FixInput, format!("a record comes behind the watermark {}", context.watermark))),
        }
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("close windows")?;
        let state = context.state.as_deref_mut().expect("windows are of keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| panic!("a window without a key")))?;
        let mut out = BatchBuilder::new();
        for (place, firing) in fired.firings().iter().enumerate() {
            assert_eq!((firing.reason, firing.revision), (WindowReason::OnTime, 0), "it fires once");
            let counted = self.kept.number(state, state.key_of()[place] as usize, 0)?.expect("a window that fires has records");
            let key = String::from_utf8_lossy(fired.keys().get(place)).into_owned();
            out.push(Some(key.as_bytes()), format!("{key} {} {counted}", firing.window.start).as_bytes(), Some(firing.timestamp));
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

/// One line for each session of a key, with the number of its records.
pub(super) fn session_lines(scenario: Scenario) -> impl Iterator<Item = String> {
    session_lines_by(scenario, in_order)
}

/// The same of records of these times.
pub(super) fn session_lines_by(scenario: Scenario, time: fn(u64) -> i64) -> impl Iterator<Item = String> {
    sessions_of(scenario, GAP, time)
}

/// The same of records that come in bursts.
pub(super) fn burst_lines(scenario: Scenario) -> impl Iterator<Item = String> {
    sessions_of(scenario, BURST_GAP, in_bursts)
}

/// The same of records of these times, which are of one session where they are less than `gap` ms apart.
fn sessions_of(scenario: Scenario, gap: i64, time: fn(u64) -> i64) -> impl Iterator<Item = String> {
    let mut times: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for number in 0..scenario.records {
        times.entry(number % scenario.keys % scenario.counted_keys).or_default().push(time(number));
    }
    times.into_iter().flat_map(move |(key, times)| {
        let sessions = times.chunk_by(|one, next| next - one < gap);
        sessions.map(|session| format!("{key} {} {}", session[0], session.len())).collect::<Vec<_>>()
    })
}
