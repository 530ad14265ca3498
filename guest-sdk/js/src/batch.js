// The records of one call as they came, column by column. Timers and windows are laid out as one, without values.

import { Column, hasNumber, s64sOf, u32sOf } from './columns.js';
import { NO_TIME } from './times.js';

/** The records of a call. */
export class Batch {
  constructor(batch) {
    this.keys = new Column(batch.keys);
    /** Of each record the number of its key; `undefined`: the input is not keyed, and each record has a key of its own. */
    this.keyOf = batch.keyOf.length === 0 ? undefined : u32sOf(batch.keyOf);
    this.keyless = u32sOf(batch.keyless);
    this.values = new Column(batch.values);
    this.valueless = u32sOf(batch.valueless);
    this.times = s64sOf(batch.timestamps);
    this.headers = new HeaderColumns(batch.headers);
    this.windows = batch.windows ? new WindowBounds(batch.windows) : undefined;
    this.states = batch.states;
  }

  /** A batch without values, for timers and windows: those of `keyOf`, at `times`. */
  static withoutValues({ keys, keyOf, timestamps, states, windows }) {
    const [none, column] = [new Uint8Array(0), { data: new Uint8Array(0), ends: new Uint8Array(0) }];
    const headers = { ends: none, names: column, values: column };
    return new Batch({ keys, keyOf, keyless: none, values: column, valueless: none, headers, timestamps, states, windows });
  }

  /** How many records there are; of timers and windows none. */
  get records() {
    return this.values.count;
  }

  hasValue(record) {
    return this.valueless.length === 0 || !hasNumber(this.valueless, record);
  }

  /** The number of a record's key in `keys`; -1: it has none. */
  keyNumber(record) {
    if (this.keyOf !== undefined) return this.keyOf[record];
    return this.keyless.length > 0 && hasNumber(this.keyless, record) ? -1 : record;
  }

  /** The bytes of a record's key; null: it has none. */
  key(record) {
    const number = this.keyNumber(record);
    return number < 0 ? null : this.keys.item(number);
  }
}

/** The headers of records, end to end. */
class HeaderColumns {
  constructor({ ends, names, values }) {
    this.ends = u32sOf(ends);
    if (this.ends.length > 0) [this.names, this.values] = [new Column(names), new Column(values)];
  }

  /** Names and values of a record's headers. */
  of(record) {
    const headers = [];
    if (this.ends.length === 0) return headers;
    for (let at = record === 0 ? 0 : this.ends[record - 1]; at < this.ends[record]; at++) headers.push([this.names.item(at), this.values.item(at)]);
    return headers;
  }
}

/** The bounds of windows. */
class WindowBounds {
  constructor({ starts, ends }) {
    this.starts = s64sOf(starts);
    this.ends = s64sOf(ends);
  }

  /** The window at a place; null: it has no bounds. */
  at(index) {
    const [start, end] = [this.starts[index], this.ends[index]];
    return start === NO_TIME && end === NO_TIME ? null : [start, end];
  }
}
