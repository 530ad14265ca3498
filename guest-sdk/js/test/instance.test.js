// An operator in an instance, over batches as the host hands them in.

import assert from 'node:assert/strict';
import test from 'node:test';
import { guestOf } from '../src/component.js';
import { bytesOfNumbers, Column, u32sOf } from '../src/columns.js';
import { ColumnWriter, u32sFrom } from '../src/column_writer.js';
import { CsvColumns, Failure, from, list, log, operator, raw, record, u64, value } from '../src/index.js';

const none = new Uint8Array(0);

function columnOf(items) {
  const writer = new ColumnWriter();
  items.forEach((item) => writer.push(item));
  return writer.finish();
}

/** A batch of keys and values of a keyed input. */
function batchOf(records, states = []) {
  const keys = [...new Set(records.map(([key]) => key))];
  return {
    keys: columnOf(keys),
    keyOf: u32sFrom(records.map(([key]) => keys.indexOf(key))),
    keyless: none,
    values: columnOf(records.map(([, value]) => value ?? '')),
    valueless: u32sFrom(records.flatMap(([, value], index) => (value === null ? [index] : []))),
    headers: { ends: none, names: columnOf([]), values: columnOf([]) },
    timestamps: bytesOfNumbers(BigInt64Array.from(records, (_, index) => BigInt(index))),
    states,
    windows: null,
  };
}

const context = { input: 0, watermark: -(2 ** 63), processingTime: 7 };
const texts = (column) => Array.from({ length: new Column(column).count }, (_, index) => new Column(column).text(index, 'it'));
const subtask = { index: 0, parallelism: 1, seed: 1 };

/** The component of an operator, opened. */
function opened(definition, lines = []) {
  const logging = { log: (level, message) => lines.push([level, message]) };
  const collections = { listLength: () => 0 };
  const guest = guestOf(operator({ name: 'x', version: '1', ...definition }), { collections, logging });
  guest.open('{}', [null], subtask);
  return guest;
}

test('a key is counted over a batch, and its state is set once', () => {
  const guest = opened({
    states: { seen: value(record('Seen', { count: u64 })) },
    process: (record, ctx) => ctx.emit(`${record.keyText()} ${ctx.seen.update(({ count }) => ({ count: count + 1n })).count}`),
  });
  const stored = { keys: u32sFrom([1]), items: columnOf([Buffer.from('a165636f756e7405', 'hex')]) };
  const effects = guest.process(context, batchOf([['a', ''], ['b', ''], ['a', '']], [stored]));
  assert.deepEqual(texts(effects.outputs[0].values), ['a 1', 'b 6', 'a 2']);
  const [{ state, cleared, set }] = effects.values;
  assert.deepEqual([state, cleared.length, [...u32sOf(set.keys)]], [0, 0, [0, 1]]);
  assert.equal(Buffer.from(set.items.data).toString('hex'), 'a165636f756e7402' + 'a165636f756e7406');
});

test('what fails is named, told with its stack, and leaves nothing behind', () => {
  const guest = opened({
    states: { items: list(u64), seen: value(u64) },
    process(record, ctx) {
      ctx.items.append(1n);
      ctx.seen.set(1n);
      ctx.emit('x');
      if (record.text() === 'failure') throw new Failure('no such thing');
      if (record.text() === 'error') undefined.x;
    },
  });
  const failed = (value) => {
    try {
      guest.process(context, batchOf([['a', ''], ['a', value]], [{ keys: none, items: columnOf([]) }]));
    } catch (thrown) {
      return thrown;
    }
    return undefined;
  };
  assert.deepEqual(failed('failure'), { cause: 1, message: 'no such thing' });
  assert.match(failed('error').message, /^TypeError: .*\n    at .*process/);
  assert.match(failed(null).message, /^the record has no value/);
  const effects = guest.process(context, batchOf([['b', 'fine']], [{ keys: none, items: columnOf([]) }]));
  assert.deepEqual([effects.outputs[0].cause.length, effects.lists[0].append.keys.length, effects.values[0].set.keys.length], [4, 4, 4]);
});

test('half of a surrogate pair is replaced in all that goes to the host', () => {
  const lines = [];
  const bad = '\ud800 bad \udc00';
  const good = '\ufffd bad \ufffd';
  const guest = opened({
    process(record, ctx) {
      log.warn(bad, { bad });
      ctx.metric(bad);
      if (record.text() === 'failure') throw new Failure(bad, { cause: bad });
      if (record.text() === 'error') throw Object.assign(new Error(bad, { cause: new Error(bad) }), { name: bad });
      if (record.text() === 'text') throw bad;
      ctx.emit(bad);
    },
  }, lines);
  const failed = (value) => {
    try {
      guest.process(context, batchOf([['a', value]]));
    } catch ({ message }) {
      return message;
    }
    return undefined;
  };
  assert.equal(failed('failure'), `${good}\ncaused by ${good}`);
  const told = failed('error');
  assert.ok(told.isWellFormed() && told.startsWith(`${good}: ${good}\n`) && told.includes(`caused by Error: ${good}`), told);
  assert.equal(failed('text'), good);
  const effects = guest.process(context, batchOf([['a', 'fine']]));
  assert.deepEqual([effects.metrics, texts(effects.outputs[0].values)], [[{ name: good, delta: 1 }], [good]]);
  assert.deepEqual(lines[0], ['warn', `${good} { bad: "\\ud800 bad \\udc00" }`]);
  assert.throws(() => opened({ process() {}, open() { throw new Error(bad); } }), (thrown) => thrown.startsWith(`Error: ${good}`));
  const described = guestOf(operator({ name: bad, version: bad, inputs: [{ name: 'a', accepts: [{ id: bad, version: 1 }] }], process() {} }), {}).describe();
  assert.deepEqual([described.name, described.version, described.inputs[0].accepts[0].id], [good, good, good]);
});

test('whole numbers of a record are exact', () => {
  const guest = opened({ process: (record, ctx) => ctx.emit(String(record.json().n + 1n)) });
  assert.deepEqual(texts(guest.process(context, batchOf([['a', '{"n":9007199254740993}']])).outputs[0].values), ['9007199254740994']);
  assert.throws(() => guest.process(context, batchOf([['a', '{"n":9007199254740993']])), ({ message }) => message.startsWith('read the value as JSON: '));
});

test('records inherit what others of their output have of their own', () => {
  const guest = opened({
    process(record, ctx) {
      if (record.text() === 'own') ctx.emit('o', { key: null, time: new Date(99), headers: [['h', 'v']] });
      else ctx.emit('i');
      ctx.pass();
    },
  });
  const [output] = guest.process(context, batchOf([['a', ''], ['b', 'own'], ['c', '']])).outputs;
  assert.deepEqual(texts(output.values), ['i', 'o', 'i']);
  assert.deepEqual([texts(output.keys), [...u32sOf(output.keyless)]], [['a', '', 'c'], [1]]);
  assert.deepEqual([...new BigInt64Array(output.timestamps.slice().buffer)], [0n, 99n, 2n]);
  assert.deepEqual([[...u32sOf(output.headers.ends)], [...output.passes]], [[0, 1, 1], [0b111]]);
});

test('a windowed operator that emits in process is refused, and the record named', () => {
  const guest = opened({ windowed: true, process: (record, ctx) => record.text() === 'x' && void ctx.pass(), onWindow() {} });
  assert.throws(() => guest.process(context, batchOf([['a', ''], ['a', ''], ['a', 'x']])), ({ cause, message }) => cause === 2 && /emits in `process`/.test(message));
});

test('a promise is refused', () => {
  const guest = opened({ process: async () => {} });
  assert.throws(() => guest.process(context, batchOf([['a', '']])), ({ message }) => /gives a promise/.test(message));
});

test('an older version without a way from it is refused as in every language', () => {
  const guest = opened({ process() {}, states: { kept: value(u64, { version: 3, migrate: { 2: from(u64, (was) => was) } }) } });
  const old = columnOf([new Uint8Array([5])]);
  assert.deepEqual(guest.migrate(0, 2, old).data, new Uint8Array([5]));
  assert.throws(() => guest.migrate(0, 1, old), (message) => message === 'x cannot migrate state `kept` from version 1');
});

test('raw bytes are kept as they are, and nobody changes them from outside', () => {
  const guest = opened({
    states: { blob: value(raw) },
    process(record, ctx) {
      const before = ctx.blob.get();
      if (record.text() === 'clear') return ctx.blob.clear();
      if (record.text() === 'text') return ctx.blob.set('text');
      const set = new Uint8Array([...(before ?? []), 255]);
      ctx.blob.set(set);
      set[0] = 7;
      ctx.blob.get()[0] = 8;
      ctx.emit(ctx.blob.get());
    },
  });
  const stored = { keys: u32sFrom([0, 2]), items: columnOf([new Uint8Array([1, 2]), new Uint8Array([3])]) };
  const effects = guest.process(context, batchOf([['a', ''], ['b', ''], ['c', ''], ['a', ''], ['c', 'clear'], ['d', 'clear']], [stored]));
  const column = new Column(effects.outputs[0].values);
  assert.deepEqual(Array.from({ length: 4 }, (_, index) => [...column.item(index)]), [[1, 2, 255], [255], [3, 255], [1, 2, 255, 255]]);
  const [{ cleared, set }] = effects.values;
  assert.deepEqual([[...u32sOf(cleared)], [...u32sOf(set.keys)]], [[2, 3], [1, 0]]);
  const items = new Column(set.items);
  assert.deepEqual([[...items.item(0)], [...items.item(1)]], [[255], [1, 2, 255, 255]]);
  assert.throws(() => guest.process(context, batchOf([['a', 'text']], [])), ({ cause, message }) => cause === 0 && /encode state `blob`: the text "text" where a Uint8Array is wanted/.test(message));
});

test('raw bytes are what a map of them is, however often a call sets and clears them', () => {
  const guest = opened({
    states: { blob: value(raw) },
    process(record, ctx) {
      ctx.emit(String(ctx.blob.get()));
      if (record.text() === 'clear') ctx.blob.clear();
      else if (record.text() !== 'get') ctx.blob.set(new Uint8Array(JSON.parse(record.text())));
    },
  });
  const model = new Map();
  // A generator of chance that is the same in each run.
  let seed = 1;
  const below = (count) => ((seed = (seed * 48271) % 2147483647), seed % count);
  for (let call = 0; call < 200; call++) {
    const kept = [...model];
    const [records, expected] = [[], []];
    const keys = [...new Set([...Array(8)].map(() => below(6)))];
    for (let index = 0; index < 12; index++) {
      const key = keys[below(keys.length)];
      const command = ['get', 'clear', 'set', 'set'][below(4)];
      const bytes = Array.from({ length: below(3) }, () => below(256));
      expected.push(String(model.get(key)));
      if (command === 'clear') model.delete(key);
      if (command === 'set') model.set(key, bytes);
      records.push([String(key), command === 'set' ? JSON.stringify(bytes) : command]);
    }
    const numbers = [...new Set(records.map(([key]) => key))];
    const known = kept.filter(([key]) => numbers.includes(String(key))).sort(([a], [b]) => numbers.indexOf(String(a)) - numbers.indexOf(String(b)));
    const stored = { keys: u32sFrom(known.map(([key]) => numbers.indexOf(String(key)))), items: columnOf(known.map(([, bytes]) => new Uint8Array(bytes))) };
    const effects = guest.process(context, batchOf(records, [stored]));
    assert.deepEqual(texts(effects.outputs[0].values), expected);
    // What the host makes of it.
    const applied = new Map(kept);
    for (const { cleared, set } of effects.values) {
      const changed = [...u32sOf(cleared), ...u32sOf(set.keys)];
      assert.equal(new Set(changed).size, changed.length, 'a key is named once');
      for (const number of u32sOf(cleared)) applied.delete(Number(numbers[number]));
      const items = new Column(set.items);
      u32sOf(set.keys).forEach((number, index) => applied.set(Number(numbers[number]), [...items.item(index)]));
    }
    assert.deepEqual(new Map([...applied].sort()), new Map([...model].sort()));
  }
});

test('fields of a record are those of its text, whatever the other records of its call have', () => {
  const columns = new CsvColumns('a,b,c', ['c', 'a']);
  const guest = opened({
    process(record, ctx) {
      const fields = columns.read(record);
      assert.deepEqual(fields, columns.read(record.text()));
      ctx.emit(fields.join(';'));
    },
  });
  const rows = ['1,2,3', '4,5,é', ',,', '"x,y",2,"z"', '7,"8,9",10,'];
  const expected = ['3;1', 'é;4', ';', 'z;x,y', '10;7'];
  for (const until of [1, 2, 3, 5]) {
    const effects = guest.process(context, batchOf(rows.slice(0, until).map((row) => ['k', row])));
    assert.deepEqual(texts(effects.outputs[0].values), expected.slice(0, until));
  }
  assert.throws(() => guest.process(context, batchOf([['k', '1,2']])), ({ cause, message }) => cause === 0 && /the row has 2 fields/.test(message));
});
