// JSON with whole numbers of any size.

import assert from 'node:assert/strict';
import test from 'node:test';
import { parseJson } from '../src/json.js';

test('whole numbers are exact: those that a Number would round are BigInts', () => {
  const text = '{"n":9007199254740993,"safe":9007199254740991,"low":-9223372036854775808,"list":[18446744073709551615,1,1e20,1234567890123456789.5]}';
  assert.deepEqual(parseJson(text), { n: 9007199254740993n, safe: 9007199254740991, low: -9223372036854775808n, list: [18446744073709551615n, 1, 1e20, 1234567890123456789.5] });
  assert.equal(parseJson('9007199254740992'), 9007199254740992n);
  assert.equal(parseJson(' -9007199254740991 '), -9007199254740991);
  assert.deepEqual(parseJson('{"__proto__":9007199254740993,"a":1}'), JSON.parse('{"__proto__":1,"a":1}', (key, value) => (key === '__proto__' ? 9007199254740993n : value)));
});

test('digits in texts and in names stay text, also beside escapes and marks', () => {
  const told = { 9007199254740993: '9007199254740993', '!!9007199254740993': '"9007199254740993', '\\': '\\"!', '!!!9007199254740993': '!!!9007199254740993' };
  assert.deepEqual(parseJson(JSON.stringify(told)), told);
  const [text, number] = parseJson(`[${JSON.stringify(JSON.stringify(told))},9007199254740993]`);
  assert.deepEqual([text, number], [JSON.stringify(told), 9007199254740993n]);
  assert.deepEqual(parseJson('["\\u0021\\u00219007199254740993",9007199254740993]'), ['!!9007199254740993', 9007199254740993n]);
});

test('random documents are what JSON.parse makes of them', () => {
  let seed = 7;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  const pieces = ['!', '"', '\\', '9007199254740993', '12345678901234567890', '\u{1f600}', '\n', '-', 'e5', ':', '{'];
  const text = () => Array.from({ length: random(5) }, () => pieces[random(pieces.length)]).join('');
  const value = (depth) => {
    const kind = random(depth > 3 ? 3 : 5);
    if (kind === 0) return text();
    if (kind === 1) return [0, -7, 1.5, 1e300, 2 ** 53 - 1][random(5)];
    if (kind === 2) return BigInt(2 ** 53) * BigInt(1 + random(1000)) * (random(2) ? 1n : -1n);
    if (kind === 3) return Array.from({ length: random(4) }, () => value(depth + 1));
    return Object.fromEntries(Array.from({ length: random(4) }, () => [text(), value(depth + 1)]));
  };
  const written = (value) => {
    if (typeof value === 'bigint') return String(value);
    if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`;
    if (typeof value !== 'object') return JSON.stringify(value);
    return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${written(each)}`).join(',')}}`;
  };
  for (let round = 0; round < 2_000; round++) {
    const expected = value(0);
    assert.deepEqual(parseJson(written(expected)), expected);
  }
});

test('a reviver is given the exact numbers', () => {
  const seen = [];
  const revived = parseJson('{"a":[9007199254740993,2],"b":"1234567890123456789"}', function (key, value, context) {
    seen.push([key, value, typeof this]);
    return typeof value === 'bigint' ? context.source : value;
  });
  assert.deepEqual(revived, { a: ['9007199254740993', 2], b: '1234567890123456789' });
  assert.deepEqual(seen.map(([key]) => key), ['0', '1', 'a', 'b', '']);
  assert.deepEqual(seen[0], ['0', 9007199254740993n, 'object']);
});

test('what is no JSON fails as it does with JSON.parse, and so does a number without end', () => {
  for (const text of ['[9007199254740993', '9007199254740993x', '"9007199254740993', '09007199254740993', '"\\9007199254740993"']) {
    assert.throws(() => parseJson(text), SyntaxError);
  }
  assert.throws(() => parseJson(`[${'9'.repeat(5_000)}]`), /a whole number has 5000 characters, and 4300 are the most/);
});
