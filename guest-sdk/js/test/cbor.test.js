// Deterministic CBOR, over the types that write it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeFloat } from '../src/cbor/float.js';
import { readWhole } from '../src/cbor/reader.js';
import { bool, bytes, f32, f64, i64, i8, listOf, mapOf, option, record, string, tuple, u32, u64, u8, unit, variant } from '../src/index.js';

const hexOf = (binary) => Buffer.from(binary, 'latin1').toString('hex');
const binaryOf = (hex) => Buffer.from(hex, 'hex').toString('latin1');
const decode = (type, hex) => readWhole(type.read, `..${binaryOf(hex)}..`, 2, 2 + hex.length / 2);

function check(type, value, hex) {
  assert.equal(hexOf(type.encode(value)), hex);
  assert.deepEqual(decode(type, hex), value);
}

function refused(type, hex, why) {
  assert.throws(() => decode(type, hex), why, hex);
}

test('integers have the shortest head', () => {
  const cases = { '00': 0n, '17': 23n, '1818': 24n, '18ff': 255n, '190100': 256n, '19ffff': 65535n, '1a00010000': 65536n, '1affffffff': 2n ** 32n - 1n, '1b0000000100000000': 2n ** 32n, '1bffffffffffffffff': 2n ** 64n - 1n };
  for (const [hex, value] of Object.entries(cases)) check(u64, value, hex);
  check(u32, 4294967295, '1affffffff');
  check(i64, -1n, '20');
  check(i64, -(2n ** 63n), '3b7fffffffffffffff');
  check(i8, -128, '387f');
  refused(u64, '1817', /shortest form/);
  refused(u64, '1b00000000ffffffff', /shortest form/);
  refused(u8, '190100', /256 is no u8/);
  refused(i64, '3bffffffffffffffff', /is no i64/);
  refused(u64, '20', /is no u64/);
});

test('floats have the shortest width that keeps them', () => {
  check(f64, 0, 'f90000');
  check(f64, -0, 'f98000');
  check(f64, 1.5, 'f93e00');
  check(f64, 65504, 'f97bff');
  check(f64, 65505, 'fa477fe100');
  check(f64, 100000, 'fa47c35000');
  check(f64, 5.960464477539063e-8, 'f90001');
  check(f64, 1.1, 'fb3ff199999999999a');
  check(f64, Infinity, 'f97c00');
  check(f64, NaN, 'f97e00');
  check(f64, 5e-324, 'fb0000000000000001');
  check(f32, Math.fround(0.1), 'fa3dcccccd');
  refused(f64, 'fa3fc00000', /shortest form/);
  refused(f64, 'f97e01', /shortest form/);
});

test('every half is its own shortest encoding', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const hex = `f9${bits.toString(16).padStart(4, '0')}`;
    const isNan = (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;
    if (!isNan) assert.equal(hexOf(encodeFloat(decode(f64, hex))), hex);
  }
});

test('compounds are laid out as the grammar says', () => {
  check(string, 'zażółć', '6a7a61c5bcc3b3c582c487');
  check(bytes, Uint8Array.of(1, 255), '4201ff');
  check(bool, true, 'f5');
  check(unit, null, 'f6');
  check(option(u8), null, 'f6');
  check(option(u8), 7, '07');
  check(listOf(u8), [1, 2], '820102');
  check(tuple(u8, string), [1, 'a'], '82016161');
  check(mapOf(string, u8), new Map([['b', 1], ['aa', 2]]), 'a26162016261' + '6102');
  check(record('R', { bb: u8, a: u8 }), { a: 1, bb: 2 }, 'a261610162626202');
  const order = variant('Order', { pending: null, shipped: tuple(u32, string) });
  check(order, 'pending', '6770656e64696e67');
  check(order, { shipped: [3, 'x'] }, 'a167736869707065648203' + '6178');
});

test('what is not deterministic, or not all, is refused', () => {
  refused(mapOf(string, u8), 'a2626161016162' + '02', /not in order/);
  refused(mapOf(string, u8), 'a26161016161' + '02', /twice/);
  refused(listOf(u8), '9f01ff', /indefinite/);
  refused(listOf(u8), '8301', /3 items in 1 bytes/);
  refused(u8, '0102', /1 bytes follow/);
  refused(u8, '', /end where/);
  refused(string, '62ff61', /not UTF-8/);
  refused(string, '6361', /3 bytes with 1 left/);
  refused(record('R', { a: u8 }), 'a1616201', /not those of R\{a:u8\}/);
  refused(record('R', { a: u8 }), 'a161', /not those of/);
  refused(u8, 'c101', /a tag where/);
});
