//! Blocks as they are written, and blocks that are damaged.

use super::block::*;
use super::varint::{put_bytes, put_number};
use super::{StateDescriptor, StateKind};
use crate::error::{EngineError, ErrorKind};

fn descriptors() -> Vec<StateDescriptor> {
    let state = |name: &str, kind, version| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version, ttl: None };
    vec![state("v", StateKind::Value, 3), state("l", StateKind::List, 1), state("m", StateKind::Map, 300)]
}

fn block() -> Vec<u8> {
    let mut out = Vec::new();
    write_header(&mut out, &descriptors(), 2);
    write_key(&mut out, b"first", 3);
    put_number(&mut out, 0);
    put_bytes(&mut out, b"value");
    put_number(&mut out, 1);
    put_number(&mut out, 2);
    put_bytes(&mut out, b"a");
    put_bytes(&mut out, b"");
    put_number(&mut out, 2);
    put_number(&mut out, 2);
    for part in [&b"x"[..], b"1", b"xy", b"2"] {
        put_bytes(&mut out, part);
    }
    write_key(&mut out, b"", 1);
    put_number(&mut out, 0);
    put_bytes(&mut out, &[7; 200]);
    out
}

type Key = (Vec<u8>, Vec<(usize, String)>);

fn read(block: &[u8]) -> Result<Vec<Key>, EngineError> {
    let mut reader = BlockReader::open(block)?;
    let mut keys = Vec::new();
    while let Some(key) = reader.next_key()? {
        let mut states = Vec::new();
        while let Some((index, payload)) = reader.next_state()? {
            states.push((index, format!("{payload:?}")));
        }
        keys.push((key.to_vec(), states));
    }
    Ok(keys)
}

/// Reads `block` after `change`, and looks for `expect` in the error.
fn check(change: impl FnOnce(&mut Vec<u8>), expect: &str) {
    let mut block = block();
    change(&mut block);
    let error = read(&block).expect_err(expect);
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
}

#[test]
fn a_block_is_read_as_it_was_written() {
    let keys = read(&block()).unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].0, b"first");
    assert_eq!(keys[0].1.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(keys[0].1[1].1, format!("{:?}", Payload::List(vec![b"a", b""])));
    assert_eq!(keys[1], (vec![], vec![(0, format!("{:?}", Payload::Value(&[7; 200])))]));
    let block = block();
    let versions: Vec<u32> = BlockReader::open(&block).unwrap().states().iter().map(|state| state.version).collect();
    assert_eq!(versions, [3, 1, 300]);
}

#[test]
fn what_is_wrong_is_named() {
    check(|block| block.truncate(block.len() - 1), "a value is said to have 200 bytes, but 199 are left");
    check(|block| block.push(0), "1 bytes follow its last key");
    check(|block| block[1] = 9, "state 0 has the unknown kind 9");
    check(|block| block[1] = 3, "a key has state 0, which is a broadcast state");
    check(|block| block[8] = 3, "ends inside a key");
    check(|block| block[9] = 0xff, "a key is said to have 13183 bytes");
    check(|block| block[15] = 0, "a key has no state");
    check(|block| block[16] = 5, "a key has state 5, but there are 3 states");
    check(|block| block[23] = 0, "a key's states do not ascend at state 0");
    check(|block| block[24] = 0, "a list is empty");
    check(|block| block[31] = b'z', "the entries of a map do not ascend");
}

#[test]
fn every_truncation_is_refused_and_no_flipped_bit_panics() {
    let block = block();
    for length in 0..block.len() {
        read(&block[..length]).expect_err("a truncated block was accepted");
    }
    for bit in 0..8 * block.len() {
        let mut flipped = block.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let _ = read(&flipped);
    }
}

#[test]
fn random_bytes_are_refused_or_read_without_a_panic() {
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.usize(0..64)).map(|_| if rng.bool() { rng.u8(0..4) } else { rng.u8(..) }).collect();
        let _ = read(&bytes);
    }
}
