//! The state that a finished job has left in its last checkpoint, read back: it is what a plain run over the input comes to.

use super::Scenario;
use super::objects::kept;
use super::run::wait_for;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_engine::inspect::CheckpointState;
use weir_engine::runtime::Simulator;
use weir_engine::state::Payload;
use weir_engine::storage::Store;

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

/// For each key of state of the second stage that the newest checkpoint has, the numbers that its lists hold. `None`: files say nothing.
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
        for id in ["count", "join"] {
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

fn numbers_of(payload: &Payload<'_>) -> Vec<u64> {
    match payload {
        Payload::List(items) => items.iter().filter_map(|item| std::str::from_utf8(item).ok()?.parse().ok()).collect(),
        Payload::Value(_) | Payload::Map(_) => Vec::new(),
    }
}
