//! Windows that speak more than once, and records that come too late: an operator that keeps the numbers of a window's records, and says all of them each time
//! that the window fires. What fires when depends on who was faster, so that it is judged by what has to hold of any run ([`super::spoken`]).

use super::kept::{Adding, Kept, state};
use super::operators::Faults;
use std::sync::Arc;
use weir_engine::element::RecordBatch;
use weir_engine::operator::{OperatorDescriptor, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{FiredWindows, KeyedState, StateKind, StateMerger, TimeDomain, Window, WindowKind, WindowSettings};
use weir_engine::{BatchBuilder, Column, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// Which windows speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaking {
    /// One behind the other.
    Tumbling,
    /// Each record is in three of them.
    Hopping,
    /// As long as records come without a pause.
    Sessions,
    /// So many records of a key.
    Counts,
    /// One for each key.
    Global,
    /// One behind the other by the clock.
    ByClock,
}

/// How long windows of event time are, ms.
const SIZE: i64 = 150;
/// In how many hopping windows a record is.
pub(super) const HOPS: usize = 3;
/// From one record of a session to the next it is less than this, ms.
pub(super) const GAP: i64 = 7;
/// Records of a count.
pub(super) const COUNT: usize = 7;
/// For how long behind its end a window of event time takes records, ms.
pub(super) const LATENESS: i64 = 40;
/// How long windows by the clock are, ms.
const BY_CLOCK: i64 = 60;

/// The state with the numbers.
const NUMBERS: usize = 0;
/// The state that counts them.
const COUNTED: usize = 1;

impl Speaking {
    /// What the job says of its windows. How often they fire early is drawn anew for each process.
    pub fn settings(self, simulator: &Simulator) -> WindowSettings {
        let kind = match self {
            Self::Tumbling => WindowKind::Tumbling { size: SIZE, offset: 20 },
            Self::Hopping => WindowKind::Hopping { size: SIZE, every: SIZE / HOPS as i64, offset: 0 },
            Self::Sessions => WindowKind::Session { gap: GAP },
            Self::Counts => WindowKind::Count { records: COUNT as u64 },
            Self::Global => WindowKind::Global,
            Self::ByClock => WindowKind::Tumbling { size: BY_CLOCK, offset: 0 },
        };
        let emit = (simulator.draw(3) > 0).then(|| 5 + simulator.draw(60));
        match self {
            Self::Tumbling | Self::Hopping | Self::Sessions => {
                WindowSettings { lateness: LATENESS, emit_every: emit, ..WindowSettings::new(kind) }
            }
            Self::Counts => WindowSettings::new(kind),
            Self::Global => WindowSettings { emit_every: emit, ..WindowSettings::new(kind) },
            Self::ByClock => WindowSettings { time: TimeDomain::Processing, emit_every: emit, ..WindowSettings::new(kind) },
        }
    }
}

/// The time of record n: most are in order, and some much older than what came before.
pub(super) fn now_and_then_late(number: u64) -> i64 {
    if is_in_order(number) { number as i64 } else { number as i64 - (number * 31 % 250) as i64 }
}

/// Nothing that comes before this record is newer.
pub(super) fn is_in_order(number: u64) -> bool {
    number % 7 != 3
}

/// Says what its windows have been given.
pub struct SpeakingFactory {
    descriptor: OperatorDescriptor,
    speaker: Speaker,
}

impl SpeakingFactory {
    /// That fails so, and keeps its state so.
    pub(super) fn new(faults: Faults, mut kept: Kept) -> Arc<Self> {
        let states = vec![state("numbers", StateKind::List), kept.numbers("counted", StateKind::Value)];
        let descriptor = kept.describe_windowed("speaking", states, COUNTED);
        Arc::new(Self { descriptor, speaker: Speaker { faults, kept } })
    }
}

impl OperatorFactory for SpeakingFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        Some(Arc::new(Adding(self.descriptor.states.clone())))
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(self.speaker.clone()))
    }
}

/// Puts the records of a batch into their windows: `put` is called for each record in each of its windows, with the record and the key of its state.
/// Returns how many records came too late for all of theirs.
pub(super) fn into_windows(
    state: &mut KeyedState,
    batch: &RecordBatch,
    mut put: impl FnMut(&mut KeyedState, usize, usize) -> Result<(), EngineError>,
) -> Result<usize, EngineError> {
    let (mut first, mut late) = (0, 0);
    while first < batch.len() {
        let taken = state.select(batch, first..batch.len()).map_err(|error| error.into_error(|_| panic!("a record without a key")))?;
        let mut is_in = vec![false; taken];
        for row in 0..state.key_of().len() {
            let record = state.rows().map_or(first + row, |rows| rows[row] as usize);
            is_in[record - first] = true;
            let key = state.key_of()[row] as usize;
            put(state, record, key)?;
        }
        late += is_in.iter().filter(|is_in| !**is_in).count();
        state.accept()?;
        first += taken;
    }
    Ok(late)
}

#[derive(Clone)]
struct Speaker {
    faults: Faults,
    kept: Kept,
}

impl Operator for Speaker {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("take down in windows")?;
        let state = context.state.as_deref_mut().expect("a key edge");
        let kept = self.kept;
        into_windows(state, batch, |state, record, key| {
            let counted = kept.number(state, key, COUNTED)?.unwrap_or(0) + 1;
            state.list_append(key, kept.at(NUMBERS), batch.values().get(record))?;
            state.set_value(key, kept.at(COUNTED), &kept.write(counted))?;
            kept.mark(state, key, counted)
        })?;
        Ok(())
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("speak")?;
        let state = context.state.as_deref_mut().expect("windows are of keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| panic!("a window without a key")))?;
        let mut out = BatchBuilder::new();
        for (place, firing) in fired.firings().iter().enumerate() {
            let unit = state.key_of()[place] as usize;
            let mut numbers = Column::new();
            state.list_read(unit, self.kept.at(NUMBERS), 0, usize::MAX, &mut numbers)?;
            if Some(numbers.len() as u64) != self.kept.number(state, unit, COUNTED)? {
                return Err(EngineError::new(ErrorKind::FixInput, "a window's list and its count have come apart"));
            }
            let numbers: Vec<_> = numbers.iter().map(String::from_utf8_lossy).collect();
            let replaces = fired.replaces().iter().filter(|(of, _)| *of as usize == place).map(|(_, window)| bounds(*window));
            let replaces: Vec<String> = replaces.collect();
            let key = String::from_utf8_lossy(fired.keys().get(place)).into_owned();
            let (of, replaces) = (bounds(firing.window), if replaces.is_empty() { "-".into() } else { replaces.join(",") });
            let line = format!("{key} {of} {:?} {} {} {replaces}", firing.reason, firing.revision, numbers.join(","));
            out.push(Some(key.as_bytes()), line.as_bytes(), Some(firing.timestamp));
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

fn bounds(window: Window) -> String {
    format!("{}..{}", window.start, window.end)
}
