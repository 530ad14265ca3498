// Types: their descriptions, and what fits them.

import assert from 'node:assert/strict';
import test from 'node:test';
import { bool, bytes, f64, i64, json, listOf, mapOf, option, raw, record, string, tuple, u32, u64, u8, unit, value, variant, map } from '../src/index.js';
import { durationMs } from '../src/types/duration.js';

test('types are described in the grammar', () => {
  assert.equal(mapOf(string, u32).schema, 'map<string,u32>');
  assert.equal(listOf(tuple(option(f64), bytes, bool)).schema, 'list<tuple<option<f64>,bytes,bool>>');
  assert.equal(record('Totals', { flights: u64, total_delay: i64 }).schema, 'Totals{flights:u64,total_delay:i64}');
  assert.equal(variant('Order', { pending: null, shipped: tuple(u32, string) }).schema, 'Order[pending,shipped(tuple<u32,string>)]');
  assert.equal(map(u64, listOf(unit)).schema, 'map<u64,list<unit>>');
  assert.equal(map(string, raw).schema, 'raw');
});

test('types that have no description are refused', () => {
  assert.throws(() => option(option(u8)), /two encodings of null/);
  assert.throws(() => option(unit), /two encodings of null/);
  assert.throws(() => listOf(raw), /stand alone/);
  assert.throws(() => value(json), /type of configs/);
  assert.throws(() => record('9', {}), /is no name/);
  assert.throws(() => record('R', { 'a b': u8 }), /is no name/);
  assert.throws(() => record('R', { a: 'u8' }), /field a: the text "u8" where a type is wanted/);
  let deep = u8;
  assert.throws(() => {
    for (let depth = 0; depth < 70; depth++) deep = listOf(deep);
  }, /nested deeper than 64/);
});

test('what does not fit is named with its path', () => {
  const type = record('R', { list: listOf(record('S', { count: u64 })), last: option(string) });
  const why = (value) => {
    try {
      type.encode(value);
    } catch (error) {
      return error.message;
    }
    return 'it fits';
  };
  assert.equal(why({ list: [{ count: 1n }, { count: 1 }], last: null }), '.list[1].count: the number 1 where a bigint (u64), as 1n, is wanted');
  assert.equal(why({ list: [{ count: -1n }], last: null }), '.list[0].count: -1n is no u64: it goes from 0 to 18446744073709551615');
  assert.equal(why({ list: [] }), '.last: undefined where a text is wanted');
  assert.equal(why(null), 'null where an object with the fields of R is wanted');
  assert.equal(why({ list: [], last: '\ud800' }), '.last: the text has half of a surrogate pair, which UTF-8 cannot say');
  assert.throws(() => u8.encode(256), /an integer from 0 to 255/);
  assert.throws(() => u8.encode(1.5), /an integer from 0 to 255/);
  assert.throws(() => variant('V', { a: null }).encode('b'), /the text "b" where a case of V\[a\] is wanted/);
});

test('an update begins with the zero of the type', () => {
  assert.deepEqual(record('R', { a: u64, b: option(string), c: listOf(u8), d: tuple(bool, string) }).zero(), { a: 0n, b: null, c: [], d: [false, ''] });
  assert.equal(variant('V', { a: null }).zero, undefined);
  assert.equal(record('R', { v: variant('V', { a: null }) }).zero, undefined);
});

test('durations are read as a job file writes them', () => {
  assert.deepEqual(['500ms', '30s', '1h 30m', '7d', '0s', 'an hour', '', '1 h'].map(durationMs), [500, 30_000, 5_400_000, 604_800_000, 0, undefined, undefined, undefined]);
});
