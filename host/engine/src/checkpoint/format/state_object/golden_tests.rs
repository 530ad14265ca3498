//! The golden files of format version 1, one of whole state and one of a delta: what was once written is read for ever, and written the same.

use super::{SectionKind, StateObjectReader, StateObjectWriter};
use crate::element::{CheckpointId, Column};
use crate::state::conformance::SteadyBackend;
use crate::state::{BlockReader, KeyGroupRange, MemoryBackendFactory, Payload, StateDescriptor, StateKind};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/state-v1.bin");
const DELTA_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/delta-v1.bin");
const MAX_PARALLELISM: u32 = 4;
const GROUPS: KeyGroupRange = KeyGroupRange { start: 0, end: MAX_PARALLELISM };
const KEYS: [&[u8]; 5] = [b"N14228", b"", b"a key that does not fit where short keys are kept", b"abc", b"a"];

fn descriptors(operator: &str) -> Vec<StateDescriptor> {
    let state = |name: &str, kind, version| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version, ttl: None };
    match operator {
        "delays" => vec![state("total", StateKind::Value, 1)],
        _ => vec![state("last", StateKind::Value, 7), state("items", StateKind::List, 1), state("counts", StateKind::Map, 300)],
    }
}

/// The states of both operators as they are in the golden file.
fn backend(operator: &str) -> SteadyBackend {
    let mut backend = SteadyBackend::new(MemoryBackendFactory::new(11).create(&descriptors(operator), GROUPS, MAX_PARALLELISM));
    for (number, key) in KEYS.iter().enumerate() {
        let mut slot = backend.slot(key);
        backend.set_value(&mut slot, key, 0, &vec![number as u8; 20 * number]);
        if operator == "basket" {
            (0..number).for_each(|item| backend.list_append(&mut slot, key, 1, &vec![b'i'; 3 * item]));
            (0..5 * number).for_each(|entry| backend.map_put(&mut slot, key, 2, format!("entry {entry}").as_bytes(), &[entry as u8]));
            if number == 3 {
                backend.clear(&mut slot, key, 0);
            }
        }
    }
    backend
}

fn written_now() -> Vec<u8> {
    let mut object = StateObjectWriter::new();
    for operator in ["delays", "basket"] {
        let blocks = backend(operator).blocks(CheckpointId(1), None);
        blocks.iter().for_each(|(group, block)| object.section(SectionKind::KeyedState, operator, *group, block));
    }
    object.finish().parts.concat()
}

/// What follows the state of the other golden file: the first key goes, the third gets another value, two come.
fn delta_written_now() -> Vec<u8> {
    let mut object = StateObjectWriter::new();
    for operator in ["delays", "basket"] {
        let mut backend = backend(operator);
        drop(backend.snapshot(CheckpointId(1), None));
        let mut first = backend.slot(KEYS[0]);
        backend.clear(&mut first, KEYS[0], 0);
        for key in [KEYS[2], b"new", b"another new key, which is long as well"] {
            let mut slot = backend.slot(key);
            backend.set_value(&mut slot, key, 0, b"changed");
        }
        let deltas = backend.blocks(CheckpointId(2), Some(CheckpointId(1)));
        deltas.iter().for_each(|(group, delta)| object.section(SectionKind::Delta, operator, *group, delta));
    }
    object.finish().parts.concat()
}

#[test]
fn the_golden_files_of_version_1_are_written_byte_for_byte() {
    check_written(FILE, written_now());
    check_written(DELTA_FILE, delta_written_now());
}

#[track_caller]
fn check_written(file: &str, now: Vec<u8>) {
    let golden = std::fs::read(file).expect("the golden file is in the repository");
    let differs = golden.iter().zip(&now).position(|(golden, now)| golden != now);
    assert!(golden == now, "{} bytes in the file, {} written now, the first difference is at {differs:?}", golden.len(), now.len());
}

#[test]
fn the_golden_file_of_version_1_is_read_with_all_its_contents() {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    let reader = StateObjectReader::open("state-v1.bin", golden.into()).unwrap();
    for operator in ["delays", "basket"] {
        let states: Vec<_> = (0..descriptors(operator).len()).map(Some).collect();
        let mut restored = SteadyBackend::new(MemoryBackendFactory::new(12).create(&descriptors(operator), GROUPS, MAX_PARALLELISM));
        for section in reader.sections() {
            let section = section.unwrap();
            if section.operator == operator {
                restored.restore(section.key_group, section.payload, &states).unwrap();
            }
        }
        assert_eq!(restored.keys(), 5);
        for (number, key) in KEYS.iter().enumerate() {
            check_key(&mut restored, operator, number, key);
        }
    }
}

#[test]
fn the_golden_delta_of_version_1_is_applied_to_the_golden_state() {
    for operator in ["delays", "basket"] {
        let states: Vec<_> = (0..descriptors(operator).len()).map(Some).collect();
        let mut restored = SteadyBackend::new(MemoryBackendFactory::new(12).create(&descriptors(operator), GROUPS, MAX_PARALLELISM));
        for file in [FILE, DELTA_FILE] {
            let golden = std::fs::read(file).expect("the golden file is in the repository");
            let reader = StateObjectReader::open(file, golden.into()).unwrap();
            for section in reader.sections().map(Result::unwrap).filter(|section| section.operator == operator) {
                match section.kind {
                    SectionKind::Delta => restored.restore_delta(section.key_group, section.payload, &states).unwrap(),
                    _ => restored.restore(section.key_group, section.payload, &states).unwrap(),
                }
            }
        }
        let values = [KEYS[0], KEYS[1], KEYS[2], b"new"].map(|key| {
            let slot = restored.slot(key);
            restored.value(&slot, 0)
        });
        assert_eq!(values, [None, Some(vec![1; 20]), Some(b"changed".to_vec()), Some(b"changed".to_vec())]);
        assert_eq!(restored.keys(), 6);
        if operator == "basket" {
            let changed = restored.slot(KEYS[2]);
            assert_eq!((restored.list_len(&changed, 1), restored.map_get(&changed, 2, b"entry 7")), (2, Some(vec![7])));
        }
    }
}

#[test]
fn every_flipped_bit_and_every_truncation_of_the_golden_delta_is_refused() {
    let golden = std::fs::read(DELTA_FILE).expect("the golden file is in the repository");
    let read = |bytes: Vec<u8>| StateObjectReader::open("delta", bytes.into())?.sections().try_for_each(|section| section.map(drop));
    read(golden.clone()).expect("the golden file is whole");
    for bit in 0..8 * golden.len() {
        let mut flipped = golden.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        read(flipped).expect_err("a flipped bit was accepted");
    }
    (0..golden.len()).for_each(|length| _ = read(golden[..length].to_vec()).expect_err("a truncated object was accepted"));
}

fn check_key(restored: &mut SteadyBackend, operator: &str, number: usize, key: &[u8]) {
    let slot = restored.slot(key);
    let value = (operator == "delays" || number != 3).then(|| vec![number as u8; 20 * number]);
    assert_eq!(restored.value(&slot, 0), value);
    if operator == "basket" {
        let mut items = Column::new();
        restored.list_read(&slot, 1, 0, usize::MAX, &mut items);
        assert_eq!(items.iter().map(<[u8]>::len).collect::<Vec<_>>(), (0..number).map(|item| 3 * item).collect::<Vec<_>>());
        assert_eq!(restored.map_get(&slot, 2, b"entry 7"), (number >= 2).then(|| vec![7]));
        assert_eq!(restored.map_get(&slot, 2, format!("entry {}", 5 * number).as_bytes()), None);
    }
}

#[test]
fn blocks_of_the_golden_file_say_in_which_version_their_values_were_written() {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    let reader = StateObjectReader::open("state-v1.bin", golden.into()).unwrap();
    let section = reader.sections().map(Result::unwrap).find(|section| section.operator == "basket").unwrap();
    let mut block = BlockReader::open(section.payload).unwrap();
    assert_eq!(block.states().iter().map(|state| state.version).collect::<Vec<_>>(), [7, 1, 300]);
    assert_eq!(block.next_key().unwrap(), Some(&b"abc"[..]));
    assert_eq!(block.next_state().unwrap(), Some((1, Payload::List(vec![b"", b"iii", b"iiiiii"]))));
}
