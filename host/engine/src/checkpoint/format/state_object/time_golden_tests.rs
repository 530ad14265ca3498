//! The golden file of state that has to do with time: open windows, timers, stamped values. What was once written is read for ever, and written the same.

use super::{SectionKind, StateObjectReader, StateObjectWriter};
use crate::element::{CheckpointId, Column, NO_TIMESTAMP};
use crate::state::conformance::{Written, write};
use crate::state::{
    CallKeys, DueReason, DueWindow, KeyGroupRange, KeyedState, MemoryBackendFactory, StateDescriptor, StateKind, StateTime, StateTtl,
    TimeDomain, WindowKind, WindowSettings, key_hash, key_of_unit, timer_state, window_state,
};
use futures_util::FutureExt;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/state-v1-time.bin");
const MAX_PARALLELISM: u32 = 4;
const KEYS: [&[u8]; 3] = [b"N14228", b"", b"a key that does not fit where short keys are kept"];
/// Windows of each kind of which the host keeps something else, timers, and states with a time to live.
const OPERATORS: [&str; 6] = ["tumbling", "sessions", "counts", "global", "timers", "lived"];

fn state(name: &str, kind: StateKind) -> StateDescriptor {
    StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl: None }
}

fn settings(operator: &str) -> Option<WindowSettings> {
    let kind = match operator {
        "tumbling" => WindowKind::Tumbling { size: 10, offset: 3 },
        "sessions" => WindowKind::Session { gap: 10 },
        "counts" => WindowKind::Count { records: 5 },
        "global" => WindowKind::Global,
        _ => return None,
    };
    Some(WindowSettings { lateness: if operator == "tumbling" { 100 } else { 0 }, ..WindowSettings::new(kind) })
}

fn empty(operator: &str) -> KeyedState {
    let ttl = |refresh_on_read| Some(StateTtl { ms: 50, time: TimeDomain::Event, refresh_on_read });
    let states = match (operator, settings(operator)) {
        ("timers", _) => {
            vec![state("seen", StateKind::Value), timer_state("late", TimeDomain::Event), timer_state("tick", TimeDomain::Processing)]
        }
        ("lived", _) => vec![
            StateDescriptor { ttl: ttl(false), ..state("last", StateKind::Value) },
            StateDescriptor { ttl: ttl(true), ..state("items", StateKind::List) },
            StateDescriptor { ttl: ttl(false), ..state("counts", StateKind::Map) },
        ],
        (_, Some(settings)) => vec![state("items", StateKind::List), window_state(&settings)],
        (_, None) => unreachable!("there is no such operator"),
    };
    let groups = KeyGroupRange { start: 0, end: MAX_PARALLELISM };
    let backend = MemoryBackendFactory::new(11).create(&states, groups, MAX_PARALLELISM);
    let empty = KeyedState::new(states, backend);
    match settings(operator) {
        Some(settings) => empty.with_windows(settings, None),
        None if operator == "timers" => empty.with_timers(vec![TimeDomain::Event, TimeDomain::Processing]),
        None => empty,
    }
}

/// Selects all keys in a call at a watermark; `times` are those of one record of each.
fn call(state: &mut KeyedState, watermark: i64, times: [i64; 3]) {
    let (mut keys, mut hashes) = (Column::new(), Vec::new());
    KEYS.iter().for_each(|key| {
        keys.push(key);
        hashes.push(key_hash(key));
    });
    let of = CallKeys::new(&keys, &hashes, &[]).of_records(&times);
    state.prefetch(of, StateTime { watermark, processing_time: 1_000 }).now_or_never().expect("memory does not wait").expect("nor fail");
    assert_eq!(state.select(of, 0..3).expect("all can be selected"), 3);
}

fn filled(operator: &str) -> KeyedState {
    let mut state = empty(operator);
    // The last call is one in which the third key's record comes late, where there is lateness.
    for (watermark, times) in [(NO_TIMESTAMP, [5, -7, 400]), (30, [8, 31, 401]), (420, [421, 431, 402])] {
        call(&mut state, watermark, times);
        for (key, &time) in times.iter().enumerate() {
            match operator {
                "timers" => {
                    state.set_value(key, 0, b"seen").unwrap();
                    (0..=key).for_each(|number| state.set_timer(key, 0, time + number as i64).unwrap());
                    state.set_timer(key, 1, 2_000 - key as i64).unwrap();
                }
                "lived" => {
                    (key > 0).then(|| state.set_value(key, 0, &[key as u8; 4]).unwrap());
                    state.list_append(key, 1, b"item").unwrap();
                    state.map_put(key, 2, format!("entry {watermark}").as_bytes(), b"value").unwrap();
                }
                _ => state.list_append(key, 0, format!("at {time}").as_bytes()).unwrap(),
            }
        }
        state.accept().unwrap();
    }
    state
}

fn written_now(state: impl Fn(&str) -> KeyedState) -> Vec<u8> {
    let mut object = StateObjectWriter::new();
    for operator in OPERATORS {
        let Written::Blocks(blocks) = write(&mut state(operator).snapshot(CheckpointId(1), None).unwrap()).0 else {
            panic!("memory writes blocks")
        };
        blocks.iter().for_each(|(group, block)| object.section(SectionKind::KeyedState, operator, *group, block));
    }
    object.finish().parts.concat()
}

fn restored(operator: &str) -> KeyedState {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    let reader = StateObjectReader::open("state-v1-time.bin", golden.into()).unwrap();
    let mut state = empty(operator);
    let states: Vec<_> = (0..state.states().len()).map(Some).collect();
    for section in reader.sections().map(Result::unwrap).filter(|section| section.operator == operator) {
        state.backend_mut().restore(section.key_group, section.payload, &states).unwrap();
    }
    state.queue_restored_windows(1_000).unwrap();
    state.queue_restored_timers().unwrap();
    state
}

#[test]
fn the_golden_file_of_state_with_time_is_written_byte_for_byte() {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    for (what, now) in [("filled", written_now(filled)), ("restored", written_now(restored))] {
        let differs = golden.iter().zip(&now).position(|(golden, now)| golden != now);
        assert!(golden == now, "{what}: {} bytes in the file, {} written, the first difference is at {differs:?}", golden.len(), now.len());
    }
}

/// What is due behind a restore, by time, with why and the length of its key.
fn due(operator: &str) -> Vec<(i64, DueReason, usize)> {
    let mut state = restored(operator);
    let mut next = || state.take_window((i64::MAX, i64::MAX), |_, _| Some(()));
    let of_key = |due: &DueWindow| key_of_unit(due.unit.as_slice()).len();
    let mut all: Vec<_> = std::iter::from_fn(|| next().map(|(due, ())| (due.time, due.reason, of_key(&due)))).collect();
    all.sort();
    all
}

#[test]
fn windows_of_the_golden_file_are_due_when_they_were() {
    use DueReason::{Closed, Correction, OnTime};
    let [plane, none, long] = KEYS.map(<[u8]>::len);
    // Those whose last record came behind their time have to be corrected, and are closed when their lateness is over.
    let tumbling = [(12, Correction, plane), (112, Closed, plane), (402, Correction, long), (502, Closed, long)];
    let complete = [(2, OnTime, none), (32, OnTime, none), (422, OnTime, plane), (432, OnTime, none)];
    let mut expect = [tumbling, complete].concat();
    expect.sort();
    assert_eq!(due("tumbling"), expect);
    let longer = [(17, Correction, plane), (17, Closed, plane), (411, Correction, long), (411, Closed, long)];
    let complete = [(2, OnTime, none), (40, OnTime, none), (430, OnTime, plane), (440, OnTime, none)];
    let mut expect = [longer, complete].concat();
    expect.sort();
    assert_eq!(due("sessions"), expect);
    assert_eq!(due("counts"), [], "no count is full");
    assert_eq!(due("global"), [none, plane, long].map(|key| (i64::MAX, OnTime, key)));
}

#[test]
fn timers_and_lifetimes_of_the_golden_file_are_what_they_were() {
    let mut timers = restored("timers");
    let mut first = |domain| timers.take_timer(domain, |_, _| Some(())).map(|(timer, ())| (timer.time, timer.key().to_vec()));
    assert_eq!(first(TimeDomain::Event), Some((-7, KEYS[1].to_vec())));
    assert_eq!(first(TimeDomain::Processing), Some((1_998, KEYS[2].to_vec())));
    let mut lived = restored("lived");
    call(&mut lived, 440, [0; 3]);
    let items = |state: &KeyedState| {
        let mut items = Column::new();
        state.list_read(1, 1, 0, usize::MAX, &mut items).unwrap();
        items.len()
    };
    assert_eq!(
        (lived.copied_value(1, 0).unwrap(), items(&lived)),
        (Some(vec![1; 4]), 1),
        "what was written at 420 lives, and nothing before it"
    );
    call(&mut lived, 471, [0; 3]);
    assert_eq!((lived.copied_value(1, 0).unwrap(), lived.map_get(1, 2, b"entry 420", &mut Column::new()).unwrap()), (None, false));
}
