// One record as an author sees it. There is one for a call, which shows the record that is being worked on.

import { Failure } from './failure.js';
import { parseJson } from './json.js';
import { decodeText, decodeTextLossy } from './utf8.js';
import { msOf, NO_TIME } from './times.js';

/** The record that is being worked on. */
export class Record {
  constructor(batch, cursor, input) {
    this.batch = batch;
    this.cursor = cursor;
    this.input = input;
  }

  get value() {
    const { batch, cursor } = this;
    return batch.hasValue(cursor.record) ? batch.values.item(cursor.record) : null;
  }

  text() {
    const { batch, cursor } = this;
    const { record } = cursor;
    const { values } = batch;
    if (batch.valueless.length > 0 && !batch.hasValue(record)) throw new Failure('the record has no value');
    if (!values.ascii) return values.text(record, 'the value');
    return values.whole.slice(record === 0 ? 0 : values.ends[record - 1], values.ends[record]);
  }

  /** Says whether any record of the call has this byte in its value: it is looked for once. For the SDK's own use. */
  hasByte(byte) {
    const { values } = this.batch;
    return values.searched === byte ? values.found : values.includes(byte);
  }

  json(reviver) {
    const text = this.text();
    try {
      return parseJson(text, reviver);
    } catch (error) {
      throw new Failure(`read the value as JSON: ${error.message}`);
    }
  }

  get key() {
    return this.batch.key(this.cursor.record);
  }

  keyText() {
    const { batch, cursor } = this;
    const { keyOf, keys } = batch;
    const number = keyOf === undefined ? batch.keyNumber(cursor.record) : keyOf[cursor.record];
    if (!keys.ascii) return number < 0 ? null : keys.text(number, 'the key');
    // Once the column has been converted an item is a piece of it.
    return number < 0 ? null : keys.whole.slice(number === 0 ? 0 : keys.ends[number - 1], keys.ends[number]);
  }

  get timestamp() {
    const time = this.batch.times[this.cursor.record];
    return time === NO_TIME ? null : msOf(time);
  }

  get timestampBigInt() {
    const time = this.batch.times[this.cursor.record];
    return time === NO_TIME ? null : time;
  }

  get date() {
    const ms = this.timestamp;
    return ms === null ? null : new Date(ms);
  }

  get headers() {
    return this.batch.headers.of(this.cursor.record);
  }

  header(name) {
    if (this.batch.headers.ends.length === 0) return null;
    return this.headers.findLast(([bytes]) => decodeTextLossy(bytes) === name)?.[1] ?? null;
  }

  headerText(name) {
    const value = this.header(name);
    return value === null ? null : decodeText(value);
  }
}

/** A timer that is due, as an author sees it. */
export class FiredTimer {
  constructor(batch, index, name) {
    this.name = name;
    this.key = batch.keys.item(batch.keyOf[index]);
    this.timeBigInt = batch.times[index];
  }

  keyText() {
    return decodeText(this.key);
  }

  get time() {
    return msOf(this.timeBigInt);
  }

  get date() {
    return new Date(this.time);
  }
}

/** The bounds of a window, as an author sees them. */
export class Window {
  constructor([start, end]) {
    this.startBigInt = start;
    this.endBigInt = end;
  }

  /** The window of these bounds; null: it has none. */
  static of(bounds) {
    return bounds === null ? null : new Window(bounds);
  }

  get start() {
    return msOf(this.startBigInt);
  }

  get end() {
    return msOf(this.endBigInt);
  }

  get startDate() {
    return new Date(this.start);
  }

  get endDate() {
    return new Date(this.end);
  }
}

/** A window of a key that fires, as an author sees it. */
export class FiredWindow {
  constructor(key, window, reason, revision, replaces) {
    Object.assign(this, { key, window, reason, revision, replaces });
  }

  keyText() {
    return decodeText(this.key);
  }
}
