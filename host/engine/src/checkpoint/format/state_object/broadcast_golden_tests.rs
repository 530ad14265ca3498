//! The golden file of broadcast state: what was once written is read for ever, and written the same.

use super::{SectionKind, StateObjectReader, StateObjectWriter};
use crate::state::{BroadcastState, StateDescriptor, StateKind};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/broadcast-v1.bin");

fn empty() -> BroadcastState {
    let state = |name: &str, kind, version| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version, ttl: None };
    let declared =
        [state("total", StateKind::Value, 1), state("names", StateKind::Broadcast, 2), state("rules", StateKind::Broadcast, 300)];
    BroadcastState::new(&declared).expect("two are declared")
}

fn filled() -> BroadcastState {
    let mut state = empty();
    state.put(1, b"UA", b"United Air Lines");
    state.put(1, b"", b"nobody");
    (0..20_u8).for_each(|rule| state.put(2, format!("a rule whose name is long {rule}").as_bytes(), &vec![rule; usize::from(rule)]));
    state
}

fn written(state: &BroadcastState) -> Vec<u8> {
    let (mut payload, mut object) = (Vec::new(), StateObjectWriter::new());
    state.write(&mut payload);
    object.section(SectionKind::Broadcast, "enrich", 0, &payload);
    object.finish().parts.concat()
}

#[test]
fn the_golden_file_of_broadcast_state_is_written_byte_for_byte() {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    let now = written(&filled());
    let differs = golden.iter().zip(&now).position(|(golden, now)| golden != now);
    assert!(golden == now, "{} bytes in the file, {} written now, the first difference is at {differs:?}", golden.len(), now.len());
}

#[test]
fn the_golden_file_of_broadcast_state_is_read_with_all_its_contents() {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    let reader = StateObjectReader::open("broadcast-v1.bin", golden.into()).unwrap();
    let sections: Vec<_> = reader.sections().map(Result::unwrap).collect();
    assert_eq!(sections.iter().map(|section| (section.kind, section.operator)).collect::<Vec<_>>(), [(SectionKind::Broadcast, "enrich")]);
    let mut restored = empty();
    restored.restore(sections[0].payload, &[Some(0), Some(1), Some(2)]).unwrap();
    assert_eq!((restored.get(1, b"UA"), restored.get(1, b"")), (Some(&b"United Air Lines"[..]), Some(&b"nobody"[..])));
    assert_eq!(restored.get(2, b"a rule whose name is long 19"), Some(&[19; 19][..]));
    assert_eq!(written(&restored), written(&filled()));
}
