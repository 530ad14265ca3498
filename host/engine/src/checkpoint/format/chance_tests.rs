//! What chance makes of everything that weir has written and reads again: each target is given golden files with some bytes changed, and their checksums
//! made anew, so that what stands behind these is reached. It reads them or refuses them, and never panics.
//!
//! `WEIR_CHANCE=100000 cargo test -p weir-engine --lib by_chance` tries that many of each target.

use super::{CheckpointMetadata, SectionKind, StateObjectReader, StateObjectWriter, read_calls, read_in_flight, read_staged};
use crate::state::{KeyGroupRange, MemoryBackendFactory, StateDescriptor, StateKind};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Something that reads what may be wrong: whether it took it.
struct Target {
    name: &'static str,
    /// Files below `tests/golden`.
    files: &'static [&'static str],
    /// What is changed of a file: payloads of its sections, or the file itself.
    parts: fn(Vec<u8>) -> Vec<Vec<u8>>,
    read: fn(&[u8]) -> bool,
}

const TARGETS: [Target; 7] = [
    Target {
        name: "the metadata of a checkpoint",
        files: &[
            "metadata-v1.json",
            "metadata-v1-parts.json",
            "metadata-v1-time.json",
            "metadata-v1-began.json",
            "metadata-outbox-v1.json",
        ],
        parts: body,
        read: |body| CheckpointMetadata::open("metadata.json", &sealed(body)).is_ok(),
    },
    Target {
        name: "an object of state",
        files: &["state-v1.bin", "state-v1-time.bin", "broadcast-v1.bin"],
        parts: whole,
        read: read_object,
    },
    Target {
        name: "a call log",
        files: &["recording-v1.bin", "recording-v1-watermarks.bin", "recording-v1-windows.bin"],
        parts: payloads,
        read: |payload| read_calls(payload).is_ok(),
    },
    Target {
        name: "records in flight",
        files: &["in-flight-v1.bin", "in-flight-v1-late.bin"],
        parts: payloads,
        read: |payload| read_in_flight(payload).is_ok(),
    },
    Target { name: "staged output", files: &["staged-v1.bin"], parts: payloads, read: read_staged_output },
    Target { name: "a snapshot", files: &["state-v1.bin"], parts: payloads, read: |block| restores(block, false) },
    Target { name: "a delta", files: &["delta-v1.bin"], parts: payloads, read: |delta| restores(delta, true) },
];

fn golden(file: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/golden/{file}", env!("CARGO_MANIFEST_DIR"))).expect("a golden file")
}

fn whole(file: Vec<u8>) -> Vec<Vec<u8>> {
    vec![file]
}

/// What stands between the envelope's checksum and its end.
fn body(file: Vec<u8>) -> Vec<Vec<u8>> {
    let text = String::from_utf8(file).expect("text");
    let (_, body) = text.split_once("\"body\":").expect("an envelope");
    vec![body.trim_end().strip_suffix('}').expect("it ends").as_bytes().to_vec()]
}

/// The body in an envelope whose checksum is right.
fn sealed(body: &[u8]) -> Vec<u8> {
    let head = format!("{{\"magic\":\"weir-metadata\",\"format\":1,\"checksum\":\"{:08x}\",\"body\":", crc32c::crc32c(body));
    [head.as_bytes(), body, b"}\n"].concat()
}

fn payloads(file: Vec<u8>) -> Vec<Vec<u8>> {
    let reader = StateObjectReader::open("golden", file.into()).expect("it opens");
    reader.sections().map(|section| section.expect("it is whole").payload.to_vec()).collect()
}

fn read_object(file: &[u8]) -> bool {
    StateObjectReader::open("object", Bytes::copy_from_slice(file)).is_ok_and(|reader| reader.sections().all(|section| section.is_ok()))
}

fn read_staged_output(payload: &[u8]) -> bool {
    let mut object = StateObjectWriter::new();
    object.section(SectionKind::StagedOutput, "out", 0, payload);
    let reader = StateObjectReader::open("staged", object.finish().parts.concat().into()).expect("it has just been written");
    (0..4).any(|records| read_staged("staged", &reader, records).is_ok())
}

/// Restores a block, or a delta, of either operator of the golden files.
fn restores(payload: &[u8], is_delta: bool) -> bool {
    let state = |name: &str, kind, version| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version, ttl: None };
    let delays = vec![state("total", StateKind::Value, 1)];
    let basket = vec![state("last", StateKind::Value, 7), state("items", StateKind::List, 1), state("counts", StateKind::Map, 300)];
    [delays, basket].iter().any(|states| {
        let groups = KeyGroupRange { start: 0, end: 4 };
        let mut backend = MemoryBackendFactory::new(1).create(states, groups, 4);
        let places: Vec<_> = (0..states.len()).map(Some).collect();
        (groups.start..groups.end).any(|group| match is_delta {
            true => backend.restore_delta(group, payload, &places).is_ok(),
            false => backend.restore(group, payload, &places).is_ok(),
        })
    })
}

/// Changes a few bytes, or puts a part of another one's in.
fn mutate(bytes: &mut Vec<u8>, parts: &[Vec<u8>], rng: &mut fastrand::Rng) {
    let at = rng.usize(..bytes.len().max(1));
    let end = (at + rng.usize(1..32)).min(bytes.len());
    match rng.u8(..6) {
        _ if bytes.is_empty() => bytes.push(rng.u8(..)),
        0 | 1 => bytes[at] ^= 1 << rng.u8(..8),
        2 => bytes[at] = *rng.choice(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'9', b'}']).expect("there are some"),
        3 => _ = bytes.drain(at..end),
        4 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        _ => {
            let other = &parts[rng.usize(..parts.len())];
            let start = rng.usize(..other.len().max(1)).min(other.len());
            let part = other[start..(start + rng.usize(1..64)).min(other.len())].to_vec();
            bytes.splice(at..end, part);
        }
    }
}

#[test]
fn bytes_by_chance_are_read_or_refused() {
    let count = std::env::var("WEIR_CHANCE").ok().and_then(|count| count.parse().ok()).unwrap_or(3_000_u64);
    for Target { name, files, parts, read } in TARGETS {
        let parts: Vec<Vec<u8>> = files.iter().flat_map(|file| parts(golden(file))).collect();
        for (number, part) in parts.iter().enumerate() {
            assert!(read(part), "{name}: part {number} is as it was written");
        }
        let mut taken = 0;
        for seed in 0..count {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut bytes = parts[rng.usize(..parts.len())].clone();
            (0..rng.usize(1..4)).for_each(|_| mutate(&mut bytes, &parts, &mut rng));
            let read = catch_unwind(AssertUnwindSafe(|| read(&bytes))).unwrap_or_else(|_| panic!("{name}, seed {seed}: it panics"));
            taken += u64::from(read);
        }
        println!("{name}: {taken} of {count} are taken");
    }
}
