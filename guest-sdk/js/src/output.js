// The columns of records on their way out, one set for each output, and the way to them that an author has.
//
// A record that inherits its cause's key, time and headers costs no more than its value: the columns for keys, times and headers begin with the
// first record that has its own, and are filled up for those before it. A record that passes as it came costs a bit.

import { ColumnWriter, emptyColumn, S64Writer, u32sFrom, U32Writer } from './column_writer.js';
import { NO_TIME, timeOf } from './times.js';
import { told } from './types/type.js';

const NONE = new Uint8Array(0);

/** The columns of one output, and the way to it. */
export class Output {
  constructor(batch, cursor, name) {
    this.batch = batch;
    this.cursor = cursor;
    this.name = name;
    /** A bit for each record of the batch, once one passes. */
    this.passes = undefined;
    /** Of each record that was made the one that it comes from. */
    this.cause = [];
    this.values = new ColumnWriter();
    this.valueless = [];
    /** True once a record has a key, a time or headers of its own. */
    this.explicit = false;
    this.keys = undefined;
    this.times = undefined;
    this.headers = undefined;
  }

  pass() {
    const { batch, cursor } = this;
    if (this.passes === undefined) {
      if (batch.records === 0) throw new Error('only a record passes, and this is called for a timer or a window: emit what it comes to');
      this.passes = new Uint8Array((batch.records + 7) >> 3);
    }
    this.passes[cursor.record >> 3] |= 1 << (cursor.record & 7);
  }

  emit(value, own) {
    if (own === undefined && !this.explicit && typeof value === 'string') {
      this.values.texts.push(value);
      this.cause.push(this.cursor.record);
      return;
    }
    // What may throw comes first, so that an author who catches it has emitted nothing.
    const said = own === undefined ? undefined : checkedOwn(own);
    if (typeof value === 'string') this.values.pushText(value);
    else this.pushOther(value);
    const { record } = this.cursor;
    if (said !== undefined) this.pushOwn(record, said);
    else if (this.explicit) this.pushOwn(record, {});
    this.cause.push(record);
  }

  emitJson(value, own) {
    const text = JSON.stringify(value, jsonReplacer);
    if (text === undefined) throw new TypeError(`${told(value)} is no JSON`);
    this.emit(text, own);
  }

  pushOther(value) {
    if (value instanceof Uint8Array) return this.values.pushBytes(value);
    if (value !== null) throw new TypeError(`emit: ${told(value)} where a text, a Uint8Array, or null for a record without a value is wanted`);
    this.valueless.push(this.values.count);
    return this.values.pushText('');
  }

  /** Key, time and headers of a record: its own, or those of its cause where others say theirs. */
  pushOwn(record, { key, time, headers }) {
    if (key !== undefined || this.keys !== undefined) this.pushKey(key === undefined ? this.batch.key(record) : key);
    if (time !== undefined || this.times !== undefined) this.pushTime(time === undefined ? this.timeOf(record) : time);
    if (headers !== undefined || this.headers !== undefined) this.pushHeaders(headers ?? this.batch.headers.of(record));
    this.explicit ||= key !== undefined || time !== undefined || headers !== undefined;
  }

  pushKey(key) {
    if (this.keys === undefined) {
      this.keys = { column: new ColumnWriter(), keyless: [] };
      this.eachCause((record) => this.pushKey(this.batch.key(record)));
    }
    if (key === null) this.keys.keyless.push(this.keys.column.count);
    this.keys.column.push(key ?? '');
  }

  pushTime(time) {
    if (this.times === undefined) {
      this.times = new S64Writer();
      this.eachCause((record) => this.times.push(this.timeOf(record)));
    }
    this.times.push(time);
  }

  pushHeaders(headers) {
    if (this.headers === undefined) {
      this.headers = { ends: new U32Writer(), names: new ColumnWriter(), values: new ColumnWriter() };
      this.eachCause((record) => this.pushHeaders(this.batch.headers.of(record)));
    }
    for (const [name, value] of headers) {
      this.headers.names.push(name);
      this.headers.values.push(value);
    }
    this.headers.ends.push(this.headers.names.count);
  }

  /** The time that a record of this cause inherits, where others of the output say theirs. Of a window without bounds the host alone knows it. */
  timeOf(record) {
    const time = this.batch.times[record];
    if (time === NO_TIME && this.batch.records === 0) {
      throw new Error('of windows without bounds all that an output is sent has a time of its own, or nothing has');
    }
    return time;
  }

  /** Goes through the causes of the records so far. */
  eachCause(push) {
    for (const record of this.cause) push(record);
  }

  /** The first record that something was emitted of or that passes; `undefined`: there is none. */
  firstCause() {
    const passed = this.passes?.findIndex((byte) => byte !== 0) ?? -1;
    const causes = this.cause.slice(0, 1);
    if (passed >= 0) causes.push(8 * passed + 31 - Math.clz32(this.passes[passed] & -this.passes[passed]));
    return causes.length === 0 ? undefined : Math.min(...causes);
  }

  /** The columns as the output of this number; `undefined` where nothing was emitted and nothing passes. */
  finish(output) {
    if (this.cause.length === 0 && this.passes === undefined) return undefined;
    const { keys, headers } = this;
    return {
      output,
      passes: this.passes ?? NONE,
      cause: u32sFrom(this.cause),
      values: this.values.finish(),
      valueless: u32sFrom(this.valueless),
      keys: keys === undefined ? emptyColumn() : keys.column.finish(),
      keyless: keys === undefined ? NONE : u32sFrom(keys.keyless),
      headers: headers === undefined ? null : { ends: headers.ends.finish(), names: headers.names.finish(), values: headers.values.finish() },
      timestamps: this.times === undefined ? NONE : this.times.finish(),
    };
  }
}

/** What a record says for itself, checked. */
function checkedOwn({ key, time, headers, ...others }) {
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw new TypeError(`emit has no option \`${unknown}\`: there are key, time and headers`);
  if (key !== undefined && key !== null && !isBytes(key)) throw new TypeError(`emit, key: ${told(key)} where a text, a Uint8Array, or null for a record without a key is wanted`);
  return { key, time: time === undefined ? undefined : time === null ? NO_TIME : timeOf(time), headers: headers === undefined ? undefined : checkedHeaders(headers) };
}

function checkedHeaders(headers) {
  const checked = [...headers];
  for (const header of checked) {
    if (!Array.isArray(header) || header.length !== 2 || !header.every(isBytes)) {
      throw new TypeError('emit, headers: names and values are wanted, [["name", "value"], …], each a text or a Uint8Array');
    }
  }
  return checked;
}

function isBytes(value) {
  return typeof value === 'string' || value instanceof Uint8Array;
}

/** BigInts are whole numbers in what is emitted, with all their digits. */
const jsonReplacer = typeof JSON.rawJSON === 'function' && typeof BigInt.prototype.toJSON === 'function' ? undefined : bigIntsAsNumbers;

function bigIntsAsNumbers(_, value) {
  if (typeof value !== 'bigint') return value;
  return typeof JSON.rawJSON === 'function' ? JSON.rawJSON(String(value)) : Number(value);
}
