// The keyed operator of the conformance tests: each record is a command. See `tests/conformance/README.md`.

import { broadcast, decodeTextLossy, Failure, from, i64, list, log, map, operator, option, raw, record, setting, string, u32, u64, value } from 'weir-guest';
import { orNone, words } from './words.js';

/** What is kept of a key. In version 1 it was the count alone. */
const Seen = record('Seen', { count: u64, last: option(string), low: i64 });

/** Commands about the value states. */
const values = {
  count({ rest, ctx }) {
    const before = ctx.seen.get();
    const { count } = ctx.seen.update((seen) => ({ count: seen.count + 1n, last: rest === '' ? null : rest, low: seen.low - 1n }));
    ctx.emit(`${count} ${orNone(before?.last)}`);
  },
  huge: ({ rest, ctx }) => ctx.seen.set({ count: 2n ** 64n - 1n, last: rest, low: -(2n ** 63n) }),
  seen({ ctx }) {
    const seen = ctx.seen.get();
    ctx.emit(orNone(seen && `${seen.count} ${orNone(seen.last)} ${seen.low}`));
  },
  blob: ({ rest, ctx }) => ctx.blob.set(Uint8Array.from(rest.match(/../g) ?? [], (pair) => parseInt(pair, 16))),
  'blob?'({ ctx }) {
    const blob = ctx.blob.get();
    ctx.emit(orNone(blob && Array.from(blob, (byte) => byte.toString(16).padStart(2, '0')).join('')));
  },
  brief: ({ rest, ctx }) => ctx.brief.set(Number(rest)),
  'brief?': ({ ctx }) => ctx.emit(orNone(ctx.brief.get())),
  forget({ ctx }) {
    for (const state of [ctx.seen, ctx.blob, ctx.items, ctx.entries, ctx.brief]) state.clear();
  },
};

/** Commands about the list, the map and the rules. */
const collections = {
  append: ({ rest, ctx }) => ctx.items.append(rest),
  pop: ({ rest, ctx }) => ctx.items.popFront(BigInt(rest)),
  truncate: ({ rest, ctx }) => ctx.items.truncate(BigInt(rest)),
  'clear-items': ({ ctx }) => ctx.items.clear(),
  item: ({ rest, ctx }) => ctx.emit(orNone(ctx.items.get(BigInt(rest)))),
  items: ({ ctx }) => ctx.emit(`${ctx.items.length} ${[...ctx.items].join(',')}`),
  put({ rest, ctx }) {
    const [entry, number] = words(rest);
    ctx.entries.put(entry, BigInt(number));
  },
  remove: ({ rest, ctx }) => ctx.entries.remove(rest),
  'clear-entries': ({ ctx }) => ctx.entries.clear(),
  entry: ({ rest, ctx }) => ctx.emit(orNone(ctx.entries.get(rest))),
  entries: ({ ctx }) => ctx.emit(Array.from(ctx.entries, ([entry, number]) => `${entry}=${number}`).join(',')),
  rule: ({ rest, ctx }) => ctx.emit(orNone(ctx.rules.get(rest))),
  rules: ({ ctx }) => ctx.emit(Array.from(ctx.rules, ([name, rule]) => `${name}=${rule}`).join(',')),
};

/** Commands about what is emitted. */
const emits = {
  echo: ({ rest, ctx }) => ctx.emit(rest),
  long: ({ rest, ctx }) => ctx.emit('x'.repeat(Number(rest))),
  pass: ({ ctx }) => ctx.pass(),
  'pass-side': ({ ctx }) => ctx.to('side').pass(),
  both({ ctx }) {
    ctx.pass();
    ctx.emit('made');
  },
  side: ({ rest, ctx }) => ctx.to('side').emit(rest),
  absent: ({ ctx }) => ctx.emit(null),
  key: ({ rest, ctx }) => ctx.emit('keyed', { key: rest }),
  keyless: ({ ctx }) => ctx.emit('keyless', { key: null }),
  at: ({ rest, ctx }) => ctx.emit('at', { time: BigInt(rest) }),
  timeless: ({ ctx }) => ctx.emit('timeless', { time: null }),
  header: ({ record, rest, ctx }) => ctx.emit('header', { headers: [...record.headers, ['seen', rest]] }),
  headers({ record, ctx }) {
    const pairs = record.headers.map((header) => header.map(decodeTextLossy).join('='));
    ctx.emit(pairs.join(','), { headers: [] });
  },
};

/** Commands about time, and everything else. */
const others = {
  timer: ({ rest, ctx }) => ctx.timers.set('soon', BigInt(rest)),
  untimer: ({ rest, ctx }) => ctx.timers.delete('soon', BigInt(rest)),
  tick: ({ rest, ctx }) => ctx.timers.set('tick', BigInt(rest)),
  untick: ({ rest, ctx }) => ctx.timers.delete('tick', BigInt(rest)),
  time: ({ record, ctx }) => ctx.emit(orNone(record.timestamp)),
  watermark: ({ ctx }) => ctx.emit(orNone(ctx.watermark)),
  clock: ({ ctx }) => ctx.emit(`${ctx.processingTime}`),
  config: ({ ctx }) => ctx.emit(ctx.config.greeting),
  schema: ({ ctx }) => ctx.emit(orNone(ctx.setup.schema('commands'))),
  subtask: ({ ctx }) => ctx.emit(`${ctx.setup.subtask.index} of ${ctx.setup.subtask.parallelism}`),
  log: ({ rest }) => log.info(rest),
  metric: ({ rest, ctx }) => ctx.metric('metric', BigInt(rest)),
  fail({ rest }) {
    throw new Failure(rest);
  },
};

const commands = new Map(Object.entries({ ...values, ...collections, ...emits, ...others }));

function changeRule(text, rules) {
  const equals = text.indexOf('=');
  if (text === '*') rules.clear();
  else if (equals < 0) rules.remove(text);
  else rules.put(text.slice(0, equals), text.slice(equals + 1));
}

/** The value as text; `undefined` where it is none. */
function textOf(record) {
  try {
    return record.text();
  } catch {
    return undefined;
  }
}

export default operator({
  name: 'conformance-keyed',
  version: '2.0.0',
  inputs: [{ name: 'commands', partitioning: 'key' }, { name: 'rules', partitioning: 'broadcast' }],
  outputs: ['main', 'side'],
  timers: { soon: 'event', tick: 'processing' },
  config: { greeting: setting(string, 'hello'), 'fail-open': option(string) },
  states: {
    seen: value(Seen, { version: 2, migrate: { 1: from(u64, (count) => ({ count, last: null, low: 0n })) } }),
    blob: value(raw),
    items: list(string),
    entries: map(string, i64),
    brief: value(u32, { ttl: '1h', time: 'event', refresh: 'read' }),
    rules: broadcast(string, string),
  },

  open(config) {
    if (config['fail-open'] !== null) throw new Failure(config['fail-open']);
  },

  process(record, ctx) {
    if (record.input === 'rules') return changeRule(record.text(), ctx.rules);
    if (record.value === null) return ctx.to('side').emit(null);
    const text = textOf(record);
    if (text === undefined) return ctx.emit(record.value.toReversed());
    const [name, rest] = words(text);
    const command = commands.get(name);
    if (command === undefined) throw new Failure(`no command \`${name}\``);
    command({ record, ctx, rest });
  },

  onTimer(timer, ctx) {
    const { time } = timer;
    if (time % 1_000 === 777) throw new Failure(`poison at ${time}`);
    const count = ctx.seen.get()?.count;
    const line = `${timer.name} ${decodeTextLossy(timer.key)} ${time} ${orNone(count)}`;
    if (timer.name === 'tick') return ctx.to('side').emit(line);
    ctx.emit(line);
    const { last } = ctx.seen.update((seen) => ({ ...seen, count: seen.count + 1n }));
    if (last === 'again' && time % 100 !== 0) ctx.timers.set('soon', time + 10);
  },
});
