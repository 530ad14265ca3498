// Records whose fields are encoded and read by code of their own: it does what the functions of their types do.

import assert from 'node:assert/strict';
import test from 'node:test';
import { readWhole } from '../src/cbor/reader.js';
import { head, text } from '../src/cbor/writer.js';
import { bool, f64, i16, i32, i64, i8, option, record, string, u16, u32, u64, u8 } from '../src/index.js';

const fields = { flag: bool, a: u8, b: u16, c: u32, d: i8, e: i16, f: i32, g: u64, h: i64, name: string, maybe: option(u64), last: option(string) };

let seed = 11;
const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
const any = (list) => list[random(list.length)];

/** Integers at the ends of every length that an encoding has, and of every type. */
const edges = [0, 1, 22, 23, 24, 127, 128, 255, 256, 257, 32_767, 32_768, 65_535, 65_536, 0x7fffffff, 0xffffffff];

function valueOf({ schema }) {
  if (schema.startsWith('option<')) return random(3) === 0 ? null : valueOf({ schema: schema.slice(7, -1) });
  if (schema === 'bool') return random(2) === 0;
  if (schema === 'string') return any(['', 'a', 'é', '\u{1f600}', 'x'.repeat(22), 'x'.repeat(23), 'x'.repeat(24), 'y'.repeat(300)]);
  const [signed, bits] = [schema[0] === 'i', Number(schema.slice(1))];
  if (bits === 64) return (signed && random(2) ? -1n : 1n) * BigInt(any([...edges, 2 ** 53 - 1, 2 ** 53, 2 ** 62]));
  const most = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const edge = Math.min(any(edges), most);
  return signed && random(2) === 0 ? -1 - edge : edge;
}

/** The encoding by the functions of the types alone. */
function slowly(value) {
  const entries = Object.entries(fields).map(([name, type]) => [text(name), type.encode(value[name])]).sort(([a], [b]) => (a < b ? -1 : 1));
  return head(5, entries.length) + entries.flat().join('');
}

test('values are encoded and read as by the functions of their types', () => {
  const type = record('R', fields);
  for (let round = 0; round < 3_000; round++) {
    const value = Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, valueOf(each)]));
    const binary = type.encode(value);
    assert.equal(binary, slowly(value));
    const around = `xy${binary}zzzzzzzzzzzzzzzzzzzz`;
    const quick = type.readAt(around, 2, 2 + binary.length);
    const read = readWhole(type.read, around, 2, 2 + binary.length);
    assert.deepEqual(read, value);
    if (quick !== undefined) assert.deepEqual(quick, value);
  }
  const small = { flag: true, a: 255, b: 256, c: 7, d: -128, e: -200, f: -1, g: 30n, h: -30n, name: 'a', maybe: null, last: 'b' };
  assert.deepEqual(type.readAt(type.encode(small), 0, type.encode(small).length), small);
});

test('bytes that are no encoding are read by neither', () => {
  let refused = 0;
  for (const each of [u8, u16, u32, i8, i16, i32, u64, i64, bool, string, option(u64), option(string), option(i8)]) {
    const type = record('R', { x: each });
    for (let round = 0; round < 3_000; round++) {
      const bytes = [...type.encode({ x: valueOf(each) })].map((c) => c.charCodeAt(0));
      for (let changes = random(3); changes > 0; changes--) bytes[3 + random(Math.max(1, bytes.length - 3))] ^= 1 << random(8);
      const length = bytes.length + any([0, 0, 0, -1, 1]);
      const binary = String.fromCharCode(...bytes, 5, 5, 5);
      const quick = type.readAt(binary, 0, length);
      let read;
      try {
        read = readWhole(type.read, binary, 0, length);
      } catch {
        refused++;
      }
      if (quick !== undefined) assert.deepEqual(quick, read);
    }
  }
  assert.ok(refused > 5_000);
});

test('integers in more bytes than they need are read by neither', () => {
  for (const each of [u16, u32, i16, i32, u64, i64]) {
    const type = record('R', { x: each });
    for (const long of ['\x18\x17', '\x19\x00\xff', '\x38\x17', '\x39\x00\xff']) {
      const binary = `\xa1\x61x${long}`;
      assert.equal(type.readAt(binary, 0, binary.length), undefined);
      assert.throws(() => readWhole(type.read, binary, 0, binary.length));
    }
  }
});

test('what does not fit is told by its field', () => {
  const type = record('R', fields);
  const value = { flag: true, a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1n, h: 1n, name: '', maybe: null, last: null };
  for (const [name, wrong] of [['a', 256], ['a', 1.5], ['a', NaN], ['d', 128], ['g', 1], ['g', -1n], ['g', 2n ** 64n], ['name', '\ud800'], ['flag', null], ['maybe', undefined], ['h', 2n ** 63n]]) {
    assert.throws(() => type.encode({ ...value, [name]: wrong }), (error) => error.message.startsWith(`.${name}: `), `${name} ${String(wrong)}`);
  }
  assert.equal(type.encode({ ...value, a: -0 }), type.encode({ ...value, a: 0 }));
  assert.equal(record('R', { x: f64 }).readAt, undefined);
});
