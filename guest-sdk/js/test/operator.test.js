// What an author declares, and the config and rows that operators are given.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { readConfig } from '../src/config.js';
import { CsvColumns, f64, json, listOf, map, operator, option, setting, string, u32, u64, value, variant } from '../src/index.js';

const process = () => {};
const base = { name: 'x', version: '1', process };

function refused(definition, why) {
  assert.throws(() => operator({ ...base, ...definition }), why);
}

test('an operator is described as the world has it', () => {
  const { inputs, outputs, states, timers, windowed } = operator({
    ...base,
    inputs: ['a', { name: 'b', partitioning: 'key' }],
    outputs: ['out', { name: 'side', schema: { id: 'Row', version: 2 } }],
    timers: { soon: 'event' },
    states: { seen: value(u64, { ttl: '1h', refresh: 'read' }), byName: map(string, u64, { name: 'by-name', version: 3 }) },
    onTimer() {},
  }).describe();
  assert.deepEqual(inputs, [{ name: 'a', accepts: [], partitioning: 'any' }, { name: 'b', accepts: [], partitioning: 'by-key' }]);
  assert.deepEqual(outputs, [{ name: 'out', schema: null }, { name: 'side', schema: { id: 'Row', version: 2 } }]);
  assert.deepEqual(states[0], { name: 'seen', kind: 'value', schema: 'u64', version: 1, ttl: { ms: 3_600_000, domain: 'processing', refreshOnRead: true }, merges: false });
  assert.deepEqual([states[1].name, states[1].version, states[1].ttl], ['by-name', 3, null]);
  assert.deepEqual([timers, windowed], [[{ name: 'soon', domain: 'event' }], false]);
});

test('what makes no sense is refused where it is declared', () => {
  refused({ proces: process }, /no field `proces`/);
  refused({ process: undefined }, /process is wanted/);
  refused({ inputs: [{ name: 'a', by: 'key' }] }, /inputs, a: there is no field `by`: there are name, partitioning, accepts/);
  refused({ inputs: [null] }, /inputs: null where a name or an object of name, partitioning, accepts is wanted/);
  refused({ outputs: [{ name: 'a', shema: { id: 'Row', version: 1 } }] }, /outputs, a: there is no field `shema`: there are name, schema/);
  refused({ inputs: [{ name: 'a', accepts: ['Row/1'] }] }, /the text "Row\/1" where a record schema is wanted/);
  refused({ outputs: [{ name: 'a', schema: { id: 'Row', version: '1' } }] }, /where a record schema is wanted/);
  refused({ states: { emit: value(u64) } }, /the context has `emit` itself/);
  refused({ states: { seen: u64 } }, /where value\(…\), list/);
  refused({ states: { a: value(u64, { name: 'b' }), b: value(u64) } }, /`b` stands twice/);
  refused({ timers: { 'over due': 'event' }, onTimer() {} }, /is no name/);
  refused({ timers: { soon: 'event' } }, /has no onTimer/);
  refused({ outputs: ['late'] }, /the name `late` is the host's/);
  refused({ windowed: true }, /has onWindow/);
  refused({ windowed: true, onWindow() {}, states: { seen: value(u64, { ttl: '1h' }) } }, /no time to live, as `seen`/);
  assert.throws(() => value(u64, { ttl: 'an hour' }), /is no time to live/);
  assert.throws(() => value(u64, { time: 'event' }), /there is no|and there is none/);
  assert.throws(() => value(u64, { tll: '1h' }), /no option `tll`/);
});

test('a config is read as it is declared', () => {
  const declared = operator({ ...base, config: { limit: setting(u32, 10), who: option(string), names: setting(listOf(string), []), emit: setting(variant('E', { a: null, b: null }), 'a') } });
  assert.deepEqual(readConfig(declared, ''), { limit: 10, who: null, names: [], emit: 'a' });
  assert.deepEqual(readConfig(declared, '{"limit":3,"who":"me","names":["x"],"emit":"b"}'), { limit: 3, who: 'me', names: ['x'], emit: 'b' });
  const wide = operator({ ...base, config: { n: u64, rate: f64, any: json } });
  const text = '{"n":18446744073709551615,"rate":9007199254740993,"any":[9007199254740993]}';
  assert.deepEqual(readConfig(wide, text), { n: 18446744073709551615n, rate: 9007199254740992, any: [9007199254740993n] });
  assert.throws(() => readConfig(wide, '{"n":18446744073709551616}'), /n: the bigint 18446744073709551616n where an integer from 0/);
  assert.throws(() => readConfig(declared, '{"limt":3}'), /read the config of x: unknown field `limt`/);
  assert.throws(() => readConfig(declared, '{"names":["x",3]}'), /names\[1\]: the number 3 where a text is wanted/);
  assert.throws(() => readConfig(operator({ ...base, config: { limit: u32 } }), '{}'), /missing field `limit`/);
  assert.throws(() => readConfig(operator(base), '{"a":1}'), /unknown field `a`: there are none/);
});

test('fields of rows are found by their columns, quoted or not', () => {
  const columns = new CsvColumns('a,"b",c', ['c', 'a']);
  assert.deepEqual(columns.read('1,2,3'), ['3', '1']);
  const names = ['e', 'b', 'd', 'a', 'c'];
  for (let count = 1; count <= names.length; count++) {
    assert.deepEqual(new CsvColumns('a,b,c,d,e', names.slice(0, count)).read('A,B,C,D,E'), names.slice(0, count).map((name) => name.toUpperCase()));
  }
  assert.deepEqual(columns.read('"1,""x""",2,'), ['', '1,"x"']);
  assert.throws(() => columns.read('1,2'), /the row has 2 fields, and field 3 is wanted/);
  assert.throws(() => columns.read('"1'), /does not end/);
  assert.throws(() => columns.read('"1"x,2,3'), /`x` follows a quoted field/);
  assert.throws(() => new CsvColumns('a,b', ['c']), /the header has no column `c`: a,b/);
  assert.throws(() => new CsvColumns('a,a', ['a']), /more than one column/);
});

test('the world that components are made for is the one that weir hosts', async () => {
  const ours = await readFile(new URL('../wit/operator.wit', import.meta.url), 'utf8');
  const hosted = await readFile(new URL('../../../wit/operator.wit', import.meta.url), 'utf8').catch(() => ours);
  assert.equal(ours, hosted);
});
