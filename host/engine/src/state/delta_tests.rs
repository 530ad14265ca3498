//! Deltas as they are written, and deltas that are damaged.

use super::block::{write_header, write_key};
use super::delta::{Delta, write_removed};
use super::entry::Key;
use super::varint::{put_bytes, put_number};
use super::{KeyGroupRange, MemoryBackendFactory, StateDescriptor, StateKind};
use crate::error::{EngineError, ErrorKind};

fn descriptors() -> Vec<StateDescriptor> {
    vec![StateDescriptor { name: "v".into(), kind: StateKind::Value, schema: "raw".into(), version: 3, ttl: None }]
}

fn delta(removed: &[&[u8]], put: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let removed: Vec<Key> = removed.iter().map(|key| Key::new(key)).collect();
    write_removed(&mut out, removed.iter());
    write_header(&mut out, &descriptors(), put.len());
    for key in put {
        write_key(&mut out, key, 1);
        put_number(&mut out, 0);
        put_bytes(&mut out, b"value");
    }
    out
}

/// Applies a delta to an empty backend of one group. Its number of keys.
fn apply(delta: &[u8]) -> Result<u64, EngineError> {
    let mut backend = MemoryBackendFactory::new(1).create(&descriptors(), KeyGroupRange { start: 0, end: 1 }, 1);
    backend.restore_delta(0, delta, &[Some(0)])?;
    Ok(backend.keys())
}

#[test]
fn removed_keys_are_written_in_order_and_once() {
    let delta = delta(&[b"b", b"a long key that is not kept in place", b"", b"b"], &[]);
    assert_eq!(Delta::open(&delta).unwrap().removed, [&b""[..], b"a long key that is not kept in place", b"b"]);
}

#[test]
fn a_delta_of_puts_and_removals_is_applied() {
    assert_eq!(apply(&delta(&[b"never there", b"k1"], &[b"k1", b"k2"])).unwrap(), 2);
    assert_eq!(apply(&delta(&[b"never there"], &[])).unwrap(), 0);
}

/// Applies a delta after `change`, and looks for `expect` in the error.
fn check(change: impl FnOnce(&mut Vec<u8>), expect: &str) {
    let mut delta = delta(&[b"a", b"b"], &[b"k1", b"k2"]);
    change(&mut delta);
    let error = apply(&delta).expect_err(expect);
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
}

#[test]
fn what_is_wrong_is_named() {
    check(|delta| delta.clear(), "state delta of 0 bytes is damaged at byte 0: it ends inside the number of removed keys");
    check(|delta| delta.truncate(2), "a removed key is said to have 1 bytes, but 0 are left");
    check(|delta| delta[4] = b'a', "the removed keys do not ascend");
    check(|delta| delta[4] = 0, "the removed keys do not ascend");
    check(|delta| *delta = self::delta(&[], &[]), "it changes nothing");
    check(|delta| *delta = self::delta(&[], &[b"k1", b"k1"]), "the key k1 is there twice");
    check(|delta| delta.push(0), "1 bytes follow its last key");
}

#[test]
fn every_truncation_is_refused_and_no_flipped_bit_panics() {
    let delta = delta(&[b"a", b"b"], &[b"k1", b"k2"]);
    for length in 0..delta.len() {
        apply(&delta[..length]).expect_err("a truncated delta was accepted");
    }
    for bit in 0..8 * delta.len() {
        let mut flipped = delta.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let _ = apply(&flipped);
    }
}

#[test]
fn random_bytes_are_refused_or_applied_without_a_panic() {
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.usize(0..64)).map(|_| if rng.bool() { rng.u8(0..4) } else { rng.u8(..) }).collect();
        let _ = apply(&bytes);
    }
}
