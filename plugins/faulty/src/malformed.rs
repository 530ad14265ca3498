//! Effects that break the rules of `wit/operator.wit`, one rule at a time.

use weir_guest::bindings::weir::operator::types::{
    BroadcastUpdate, Column, Effects, Headers, KeyCounts, Metric, Output, TimerUpdate, Timers, Touch, ValueUpdate,
};

/// What the value of a record begins with that asks for malformed effects.
pub const PREFIX: &[u8] = b"malformed:";

/// How the effects of a keyed batch can be spoiled.
pub const KINDS: [&str; 49] = [
    // Columns of the main output.
    "ends-fall",
    "ends-past-data",
    "ends-before-data",
    "ends-odd",
    "cause-out-of-range",
    "cause-count",
    "keys-count",
    "keyless-out-of-range",
    "keyless-falls",
    "keyless-without-keys",
    "keyless-not-empty",
    "timestamps-count",
    "timestamps-odd",
    "valueless-out-of-range",
    "valueless-not-empty",
    "headers-count",
    "headers-ends-fall",
    "headers-names",
    "passes-long",
    "passes-behind",
    "output-number",
    "output-twice",
    // Updates of the value state, the list state and the map state.
    "state-number",
    "state-kind",
    "state-twice",
    "key-out-of-range",
    "key-twice",
    "key-set-and-cleared",
    "keys-odd",
    "items-count",
    "list-kind",
    "list-key-out-of-range",
    "list-popped-twice",
    "list-popped-count",
    "list-truncated-key-out-of-range",
    "list-truncated-odd",
    "map-key-out-of-range",
    "map-values-count",
    "map-entry-twice",
    // Timers.
    "timer-number",
    "timer-named-twice",
    "timer-key-out-of-range",
    "timer-times-count",
    "timer-times-odd",
    "timer-set-and-deleted",
    // What this operator declares nothing of.
    "broadcast",
    "touched-number",
    "touched-without-ttl",
    "metric-without-name",
];

/// An index that no batch reaches.
const FAR: u32 = 1 << 24;

/// Spoils effects that have records on the main output and an update of each state and timer. False where `kind` is none of [`KINDS`].
pub fn spoil(kind: &str, effects: &mut Effects) -> bool {
    let done = spoil_output(kind, &mut effects.outputs)
        || spoil_value(kind, &mut effects.values)
        || spoil_collection(kind, effects)
        || spoil_timer(kind, &mut effects.timers);
    if !done {
        return spoil_undeclared(kind, effects);
    }
    done
}

fn spoil_output(kind: &str, outputs: &mut Vec<Output>) -> bool {
    let Some(output) = outputs.first_mut() else { return false };
    let records = output.cause.len() / 4;
    match kind {
        "ends-fall" => {
            // One item more than there was, so that an end can fall before the last.
            push(&mut output.values.ends, 0);
            push(&mut output.values.ends, output.values.data.len() as u32);
            push(&mut output.cause, 0);
            push(&mut output.cause, 0);
        }
        "ends-past-data" => set_last(&mut output.values.ends, FAR),
        "ends-before-data" => output.values.data.push(0),
        "ends-odd" => output.values.ends.push(0),
        "cause-out-of-range" => set_last(&mut output.cause, FAR),
        "cause-count" => push(&mut output.cause, 0),
        "keys-count" => output.keys = empty_items(records + 1),
        "keyless-out-of-range" => (output.keys, output.keyless) = (empty_items(records), FAR.to_le_bytes().to_vec()),
        "keyless-falls" => (output.keys, output.keyless) = (empty_items(records), [0u8; 8].to_vec()),
        "keyless-without-keys" => output.keyless = 0u32.to_le_bytes().to_vec(),
        "keyless-not-empty" => {
            output.keys = empty_items(records);
            output.keys.data.push(b'k');
            set_last(&mut output.keys.ends, 1);
            output.keyless = (records as u32 - 1).to_le_bytes().to_vec();
        }
        "timestamps-count" => output.timestamps = vec![0; 8 * (records + 1)],
        "timestamps-odd" => output.timestamps = vec![0; 8 * records + 3],
        "valueless-out-of-range" => output.valueless = FAR.to_le_bytes().to_vec(),
        "valueless-not-empty" => output.valueless = 0u32.to_le_bytes().to_vec(),
        "headers-count" => output.headers = Some(headers(records + 1)),
        "headers-ends-fall" => {
            let mut falling = headers(records);
            falling.ends[0] = 1;
            output.headers = Some(falling);
        }
        "headers-names" => output.headers = Some(Headers { names: empty_items(1), ..headers(records) }),
        "passes-long" => output.passes = vec![0; 1 << 16],
        // One bit more than there are records, in a byte of its own where the last one is full.
        "passes-behind" => output.passes = vec![0xff; records / 8 + 1],
        "output-number" => output.output = 2,
        "output-twice" => {
            let again = output.clone();
            outputs.push(again);
        }
        _ => return false,
    }
    true
}

fn spoil_value(kind: &str, values: &mut Vec<ValueUpdate>) -> bool {
    let Some(update) = values.first_mut() else { return false };
    match kind {
        "state-number" => update.state = 3,
        "state-kind" => update.state = crate::VALUES,
        "state-twice" => {
            let again = update.clone();
            values.push(again);
        }
        "key-out-of-range" => set_last(&mut update.set.keys, FAR),
        "key-twice" => {
            update.set.keys.extend_from_within(..4);
            push(&mut update.set.items.ends, update.set.items.data.len() as u32);
        }
        "key-set-and-cleared" => update.cleared.extend_from_slice(&update.set.keys[..4]),
        "keys-odd" => update.set.keys.push(0),
        "items-count" => push(&mut update.set.items.ends, update.set.items.data.len() as u32),
        _ => return false,
    }
    true
}

fn spoil_collection(kind: &str, effects: &mut Effects) -> bool {
    match (kind, effects.lists.first_mut(), effects.maps.first_mut()) {
        ("list-kind", Some(list), _) => {
            list.state = crate::COUNT;
            effects.values.clear();
        }
        ("list-key-out-of-range", Some(list), _) => set_last(&mut list.append.keys, FAR),
        ("list-popped-twice", Some(list), _) => list.popped = KeyCounts { keys: vec![0; 8], counts: vec![0; 16] },
        ("list-popped-count", Some(list), _) => list.popped.keys = vec![0; 4],
        ("list-truncated-key-out-of-range", Some(list), _) => {
            list.truncated = KeyCounts { keys: FAR.to_le_bytes().to_vec(), counts: vec![0; 8] };
        }
        ("list-truncated-odd", Some(list), _) => list.truncated = KeyCounts { keys: vec![0; 4], counts: vec![0; 3] },
        ("map-key-out-of-range", _, Some(map)) => set_last(&mut map.put.keys, FAR),
        ("map-values-count", _, Some(map)) => push(&mut map.values.ends, map.values.data.len() as u32),
        ("map-entry-twice", _, Some(map)) => map.removed = map.put.clone(),
        _ => return false,
    }
    true
}

fn spoil_timer(kind: &str, timers: &mut Vec<TimerUpdate>) -> bool {
    let Some(update) = timers.first_mut() else { return false };
    match kind {
        "timer-number" => update.timer = 1,
        "timer-named-twice" => {
            let again = update.clone();
            timers.push(again);
        }
        "timer-key-out-of-range" => set_last(&mut update.set.keys, FAR),
        "timer-times-count" => update.set.times.extend_from_within(..8),
        "timer-times-odd" => update.set.times.push(0),
        "timer-set-and-deleted" => {
            update.deleted = Timers { keys: update.set.keys[..4].to_vec(), times: update.set.times[..8].to_vec() };
        }
        _ => return false,
    }
    true
}

fn spoil_undeclared(kind: &str, effects: &mut Effects) -> bool {
    match kind {
        "broadcast" => effects.broadcasts.push(BroadcastUpdate {
            state: 0,
            cleared: true,
            removed: empty_items(0),
            put: empty_items(0),
            values: empty_items(0),
        }),
        "touched-number" => effects.touched.push(Touch { state: 3, keys: vec![] }),
        "touched-without-ttl" => effects.touched.push(Touch { state: 0, keys: vec![0; 4] }),
        "metric-without-name" => effects.metrics.push(Metric { name: String::new(), delta: 1 }),
        _ => return false,
    }
    true
}

fn push(numbers: &mut Vec<u8>, number: u32) {
    numbers.extend_from_slice(&number.to_le_bytes());
}

fn set_last(numbers: &mut Vec<u8>, number: u32) {
    numbers.truncate(numbers.len().saturating_sub(4));
    push(numbers, number);
}

/// So many records without a header.
fn headers(records: usize) -> Headers {
    Headers { ends: vec![0; 4 * records], names: empty_items(0), values: empty_items(0) }
}

fn empty_items(count: usize) -> Column {
    Column { data: Vec::new(), ends: vec![0; 4 * count] }
}
