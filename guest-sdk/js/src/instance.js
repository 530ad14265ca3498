// One operator in one instance: runs its calls over the boundary's columns.
//
// Invariant: a call that fails leaves nothing behind, since whatever a call has is made or emptied when it begins.

import { Batch } from './batch.js';
import { readConfig } from './config.js';
import { Context } from './context.js';
import { u32sOf, bytesOfNumbers, s64sOf } from './columns.js';
import { FiredTimer, FiredWindow, Record, Window } from './record.js';
import { NO_TIME } from './times.js';
import { Timers } from './timers.js';
import { Cursor, Place } from './state/place.js';
import { ListState } from './state/list.js';
import { BroadcastState, MapState } from './state/map.js';
import { RawValueState } from './state/raw_value.js';
import { ValueState } from './state/value.js';
import { unchanged, withoutOutput } from './windowed.js';

const HANDLES = { value: ValueState, list: ListState, map: MapState, broadcast: BroadcastState };
const REASONS = ['complete', 'early', 'correction'];

/** The class of a state's handle. */
function handleOf({ kind, types }) {
  return kind === 'value' && types[0].isRaw ? RawValueState : HANDLES[kind];
}

/** An operator that was opened, with the handles of its states. */
export class Instance {
  constructor(operator, host, config, schemas, subtask) {
    this.operator = operator;
    this.cursor = new Cursor();
    this.timers = new Timers(this.cursor, operator.timers.map(({ name }) => name));
    const setup = setupOf(operator, schemas, subtask);
    this.context = new Context(operator, this.cursor, this.timers, readConfig(operator, config), setup);
    this.handles = operator.states.map(({ property, name, declaration }, number) => {
      const place = new Place(this.cursor, host, number, name, declaration.ttl);
      return (this.context[property] = new (handleOf(declaration))(place, declaration));
    });
    noPromise(operator.definition.open?.(this.context.config, setup), 'open');
  }

  /** Works one batch off. */
  process(call, given) {
    const { operator, cursor, context } = this;
    const input = operator.inputs[call.input];
    if (input === undefined) throw new Error(`${operator.name} has no input ${call.input}`);
    const batch = new Batch(given);
    const { keyOf, records } = batch;
    this.begin(call, batch, input.partitioning === 'broadcast' && keyOf === undefined);
    const record = new Record(batch, cursor, input.name);
    const { definition } = operator;
    for (let index = 0; index < records; index++) {
      cursor.record = index;
      if (keyOf !== undefined) cursor.key = keyOf[index];
      const result = definition.process(record, context);
      if (result !== undefined) noPromise(result, 'process');
    }
    if (operator.windowed) withoutOutput(operator, cursor, context._outputs);
    return this.finish();
  }

  /** Works timers off that are due. */
  onTimers(call, { keys, keyOf, timers, times, states }) {
    const { operator, cursor, context } = this;
    const batch = Batch.withoutValues({ keys, keyOf, timestamps: times, states });
    this.begin(call, batch, false);
    const numbers = u32sOf(timers);
    for (let index = 0; index < numbers.length; index++) {
      cursor.record = index;
      cursor.key = batch.keyOf[index];
      const timer = operator.timers[numbers[index]];
      if (timer === undefined) throw new Error(`${operator.name} has no timer ${numbers[index]}`);
      noPromise(operator.definition.onTimer(new FiredTimer(batch, index, timer.name), context), 'onTimer');
    }
    return this.finish();
  }

  /** Works windows off that fire. They are laid out as records, each with a key of its own and the time of what is emitted. */
  onWindows(call, { keys, windows, reasons, revisions, replaces, states }) {
    const { operator, cursor, context } = this;
    if (!operator.windowed) throw new Error(`${operator.name} is not windowed`);
    const count = reasons.length;
    const keyOf = bytesOfNumbers(Uint32Array.from({ length: count }, (_, index) => index));
    const timestamps = bytesOfNumbers(timesOf(windows));
    const batch = Batch.withoutValues({ keys, keyOf, timestamps, states, windows });
    this.begin(call, batch, false);
    const [times, replacedBy] = [u32sOf(revisions), replacedWindows(replaces)];
    for (let index = 0; index < count; index++) {
      cursor.record = cursor.key = index;
      const reason = REASONS[reasons[index]];
      if (reason === undefined) throw new Error(`a window fires for reason ${reasons[index]}, which ${operator.name} does not know`);
      const window = Window.of(batch.windows.at(index));
      const firing = new FiredWindow(batch.keys.item(index), window, reason, times[index], replacedBy.get(index) ?? []);
      noPromise(operator.definition.onWindow(firing, context), 'onWindow');
    }
    return unchanged(operator, cursor, this.finish());
  }

  begin(call, batch, isBroadcast) {
    const { cursor, timers, handles } = this;
    Object.assign(cursor, { record: -1, key: -1, keys: batch.keyOf === undefined ? 0 : batch.keys.count, isBroadcast });
    timers.begin();
    handles.forEach((handle, number) => handle.begin(cursor.keys, batch.states[number]));
    this.context._begin(call, batch);
  }

  finish() {
    this.cursor.record = -1;
    const effects = { outputs: [], values: [], lists: [], maps: [], broadcasts: [], touched: [], timers: [], metrics: [] };
    this.context._finish(effects);
    this.timers.finish(effects);
    for (const handle of this.handles) handle.finish(effects);
    return effects;
  }
}

function setupOf(operator, schemas, { index, parallelism, seed }) {
  return {
    schemas: schemas.map((schema) => schema ?? null),
    schema(input) {
      return this.schemas[typeof input === 'number' ? input : operator.inputs.findIndex(({ name }) => name === input)] ?? null;
    },
    // The engine hands 64-bit integers in as Numbers: what is lost is lost alike in every instance.
    subtask: { index, parallelism, seed: BigInt(seed) },
  };
}

function noPromise(result, name) {
  if (typeof result?.then === 'function') throw new TypeError(`${name} gives a promise, and nothing waits for it: an operator is synchronous, so do away with async and await`);
}

/** The times of what is emitted for windows: their last ms, and none of those without bounds. */
function timesOf({ starts, ends }) {
  const [first, behind] = [s64sOf(starts), s64sOf(ends)];
  return BigInt64Array.from(behind, (end, index) => (end === NO_TIME && first[index] === NO_TIME ? NO_TIME : end === NO_TIME ? end : end - 1n));
}

/** The windows that became part of another, by the firing of that. */
function replacedWindows({ keys, items }) {
  const replaced = new Map();
  const bounds = s64sOf(items.data);
  u32sOf(keys).forEach((firing, index) => {
    const window = new Window([bounds[2 * index], bounds[2 * index + 1]]);
    replaced.set(firing, [...(replaced.get(firing) ?? []), window]);
  });
  return replaced;
}
