//! The state that a finished job has left in its last checkpoint, read back: it is what a plain run over the input comes to.

use super::Scenario;
use super::guest::number_of;
use super::objects::kept;
use super::run::wait_for;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_engine::inspect::CheckpointState;
use weir_engine::runtime::Simulator;
use weir_engine::state::{OpenWindow, Payload, StateDescriptor, WindowKind};
use weir_engine::storage::Store;

/// What operators are called that count or join.
const COUNTERS: [&str; 4] = ["count", "tally", "sums", "join"];

/// Count of each key.
type Counts = BTreeMap<String, u64>;

/// The counts in the newest checkpoint are those of the input.
pub(super) fn check_state(simulator: &Simulator, objects: &Arc<dyn Store>, scenario: Scenario) -> Result<(), String> {
    // Files say nothing without their backend.
    if !scenario.counter.counts_keys() || scenario.state_faults.is_some() {
        return Ok(());
    }
    let (store, clock) = (objects.clone(), simulator.runtime().clock);
    let stored = wait_for(simulator, async move {
        let kept = kept(&store, &clock, 1).await?;
        let Some((_, metadata)) = kept.first() else { return Err("the finished job has no checkpoint".to_owned()) };
        let state = CheckpointState::new(&*store, &*clock, metadata);
        let mut reader = state.operator("count").ok_or("the checkpoint has no `count`")?.keyed();
        let mut counts = Counts::new();
        for key_group in reader.key_groups() {
            for (key, states) in reader.group(key_group).await.map_err(|error| error.to_string())? {
                let count = states.iter().find_map(|stored| match &stored.payload {
                    Payload::Value(bytes) if stored.index == 0 => bytes.first_chunk::<8>().map(|count| u64::from_le_bytes(*count)),
                    Payload::Value(_) | Payload::List(_) | Payload::Map(_) => None,
                });
                counts.insert(String::from_utf8_lossy(key).into_owned(), count.ok_or("a key without a count")?);
            }
        }
        Ok(counts)
    })??;
    let expected = expected(scenario);
    match stored == expected {
        true => Ok(()),
        false => Err(format!("the state is {stored:?}, and the input comes to {expected:?}")),
    }
}

fn expected(scenario: Scenario) -> Counts {
    let mut counts = Counts::new();
    for number in (0..scenario.records).filter(|&number| scenario.counter.value(number).parse::<u64>().is_ok()) {
        *counts.entry((number % scenario.keys % scenario.counted_keys).to_string()).or_default() += 1;
    }
    let up_to = scenario.counter.up_to();
    counts.into_iter().map(|(key, count)| (key, count % up_to)).filter(|(_, count)| *count > 0).collect()
}

/// For each key of state of the second stage that the newest checkpoint has, the numbers that its lists hold, and those of its maps' entries that are written as
/// guests do. `None`: files say nothing.
pub(super) fn left_open(simulator: &Simulator, objects: &Arc<dyn Store>, scenario: Scenario) -> Result<Option<Vec<Vec<u64>>>, String> {
    if scenario.state_faults.is_some() {
        return Ok(None);
    }
    let (store, clock) = (objects.clone(), simulator.runtime().clock);
    wait_for(simulator, async move {
        let kept = kept(&store, &clock, 1).await?;
        let Some((_, metadata)) = kept.first() else { return Err("the finished job has no checkpoint".to_owned()) };
        let state = CheckpointState::new(&*store, &*clock, metadata);
        let mut open = Vec::new();
        for id in COUNTERS {
            let Some(operator) = state.operator(id) else { continue };
            let mut reader = operator.keyed();
            for key_group in reader.key_groups() {
                let group = reader.group(key_group).await.map_err(|error| error.to_string())?;
                open.extend(group.values().map(|states| states.iter().flat_map(|stored| numbers_of(&stored.payload)).collect()));
            }
        }
        Ok(Some(open))
    })?
}

/// What the newest checkpoint keeps of what counts: the names of its states that some key has, the engine's for windows and timers among them (`weir:window+` of a
/// window that has spoken and may be corrected); and `floors`, `clock` and `largest` where it says how far event time, the clock and what was emitted had come.
pub fn kept_of_counters(objects: &Arc<dyn Store>) -> Result<BTreeSet<String>, String> {
    let (simulator, store) = (Simulator::new(1), objects.clone());
    let clock = simulator.runtime().clock;
    wait_for(&simulator, async move {
        let (checkpoints, mut all) = (kept(&store, &clock, 1).await?, BTreeSet::new());
        let Some((_, metadata)) = checkpoints.first() else { return Err("there is no checkpoint".to_owned()) };
        let parts = || metadata.vertices.iter().flat_map(|vertex| &vertex.subtasks);
        all.extend(parts().any(|part| !part.floors.is_empty()).then(|| "floors".to_owned()));
        all.extend(parts().any(|part| part.processing_time.is_some()).then(|| "clock".to_owned()));
        all.extend(parts().any(|part| part.largest_timestamp.is_some()).then(|| "largest".to_owned()));
        let state = CheckpointState::new(&*store, &*clock, metadata);
        for operator in COUNTERS.into_iter().filter_map(|id| state.operator(id)) {
            let (declared, mut reader) = (operator.declared(), operator.keyed());
            for key_group in reader.key_groups() {
                let group = reader.group(key_group).await.map_err(|error| error.to_string())?;
                for stored in group.values().flatten() {
                    let state = &declared[stored.index];
                    all.insert(state.name.clone());
                    all.extend(has_spoken(state, &stored.payload).then(|| format!("{}+", state.name)));
                }
            }
        }
        Ok(all)
    })?
}

/// True of what is kept of a window that has spoken.
fn has_spoken(state: &StateDescriptor, payload: &Payload<'_>) -> bool {
    let (Payload::Value(value), Some(kind)) = (payload, WindowKind::of_described(&state.schema)) else { return false };
    OpenWindow::read(&kind, value).is_some_and(|window| window.is_complete)
}

fn numbers_of(payload: &Payload<'_>) -> Vec<u64> {
    match payload {
        Payload::List(items) => items.iter().filter_map(|item| number_of(item)).collect(),
        Payload::Map(entries) => entries.iter().filter_map(|(entry, _)| number_of(entry)).collect(),
        Payload::Value(_) => Vec::new(),
    }
}
