// What every handle of a state knows of itself: its name and number, and which key is being worked on.

import { readWhole } from '../cbor/reader.js';
import { binaryOf, bytesOf } from '../binary.js';
import { u32sFrom } from '../column_writer.js';

/** What is worked on: one for an instance, looked at by all its handles. */
export class Cursor {
  constructor() {
    /** The record, the timer or the window. */
    this.record = 0;
    /** The number of its key among those of the call; -1: the input is not keyed. */
    this.key = -1;
    /** How many keys the call has. */
    this.keys = 0;
    /** The call's input is a broadcast one. */
    this.isBroadcast = false;
  }
}

/** The place of a state. */
export class Place {
  constructor(cursor, host, number, name, ttl) {
    Object.assign(this, { cursor, host, number, name });
    /** Keys whose state was handed out; `undefined`: nobody asks. */
    this.reads = ttl?.refreshOnRead ? new Set() : undefined;
  }

  /** The number of the key that is shown; throws where the input is not keyed. */
  key() {
    const key = this.cursor.key;
    if (key < 0) throw this.unkeyed();
    return key;
  }

  /** What is thrown where there is no key. */
  unkeyed() {
    return new Error(`state \`${this.name}\` needs a key, and this input is not keyed: give it \`by = "key"\` in the job file`);
  }

  /** Something of the shown key's state is handed out. */
  noteRead() {
    this.reads?.add(this.cursor.key);
  }

  /** Adds to the effects the keys that were read, but for those that were written, which are renewed by that. */
  reportReads(written, effects) {
    if (this.reads === undefined) return;
    for (const key of written) this.reads.delete(key);
    if (this.reads.size > 0) effects.touched.push({ state: this.number, keys: u32sFrom([...this.reads].sort((a, b) => a - b)) });
    this.reads.clear();
  }

  /** A value as it is kept; what it is part of is named where it does not fit. */
  encode(type, value, what) {
    try {
      return type.encode(value);
    } catch (error) {
      throw this.unfit(error, what);
    }
  }

  /** What is thrown where a value cannot be kept. */
  unfit(error, what) {
    return new TypeError(`${what} state \`${this.name}\`: ${error.message}`);
  }

  /** The value that stands in `binary` from `start` to `end`. */
  decode(type, binary, start, end) {
    if (type.isRaw) return bytesOf(binary.slice(start, end));
    const value = type.readAt?.(binary, start, end);
    if (value !== undefined) return value;
    try {
      return readWhole(type.read, binary, start, end);
    } catch (error) {
      throw new Error(`decode state \`${this.name}\`: ${error.message}`);
    }
  }

  /** The value that the bytes are. */
  decodeBytes(type, bytes) {
    if (type.isRaw) return bytes.slice();
    return this.decode(type, binaryOf(bytes), 0, bytes.length);
  }
}
