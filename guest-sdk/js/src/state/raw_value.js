// One value of an author's own bytes for each key. They stay bytes all the way: to make a binary string of them and back would cost more than they do.
//
// What is set is copied behind what the call has set before, so that the column of all stands there when the call ends: a typed array for each would cost
// more than the rest.

import { u32sFrom } from '../column_writer.js';
import { ValueState } from './value.js';

/** A copy, whatever class of bytes an author gives: that of the package `buffer` has a `slice` that copies nothing. */
const copied = Uint8Array.prototype.slice;
/** In `slots`, of a key whose value was cleared. */
const CLEARED = 0x7fffffff;
/** In `changedKeys`, in place of a key that was changed again. */
const GONE = -1;
/** What is kept of the memory for the next call. */
const KEPT_BYTES_MAX = 4 << 20;

/** The value of the record's key. In `slots` what is above 0 is the number of what was set, from 1 on. */
export class RawValueState extends ValueState {
  constructor(place, declaration) {
    super(place, declaration);
    /** What was set, end to end; `ends` says where each ends, `changedKeys` whose it is. */
    this.bytes = new Uint8Array(1024);
    this.ends = [];
    this.used = 0;
    this.clearedKeys = [];
    this.hasGone = false;
  }

  get() {
    const { key } = this.cursor;
    if (key < 0) throw this.place.unkeyed();
    if (this.slots === undefined) this.look();
    const slot = this.slots[key];
    if (slot === 0 || slot === CLEARED) return undefined;
    if (this.place.reads !== undefined) this.place.noteRead();
    if (slot > 0) return copied.call(this.bytes, this.startOf(slot), this.ends[slot - 1]);
    const { data, ends } = this.column;
    return copied.call(data, slot === -1 ? 0 : ends[-slot - 2], ends[-slot - 1]);
  }

  startOf(slot) {
    return slot === 1 ? 0 : this.ends[slot - 2];
  }

  set(value) {
    const { key } = this.cursor;
    if (key < 0) throw this.place.unkeyed();
    // What is none says so.
    if (value?.constructor !== Uint8Array && !(value instanceof Uint8Array)) this.place.encode(this.type, value, 'encode');
    if (this.slots === undefined) this.look();
    const { slots } = this;
    const slot = slots[key];
    if (slot > 0 && this.writeOver(slot, value)) return;
    const at = this.used;
    const end = at + value.length;
    if (end > this.bytes.length) this.reserve(end);
    this.bytes.set(value, at);
    this.used = end;
    slots[key] = this.ends.push(end);
    this.changedKeys.push(key);
  }

  /** Sets a value anew: in the place of the one before where it is as long; else that counts no more. */
  writeOver(slot, value) {
    if (slot === CLEARED) return false;
    const start = this.startOf(slot);
    if (this.ends[slot - 1] - start !== value.length) {
      this.forget(slot);
      return false;
    }
    this.bytes.set(value, start);
    return true;
  }

  clear() {
    const key = this.place.key();
    if (this.slots === undefined) this.look();
    const { slots } = this;
    if (slots[key] > 0 && slots[key] !== CLEARED) this.forget(slots[key]);
    slots[key] = CLEARED;
    this.clearedKeys.push(key);
  }

  /** What was set before counts no more. */
  forget(slot) {
    this.changedKeys[slot - 1] = GONE;
    this.hasGone = true;
  }

  reserve(bytes) {
    const larger = new Uint8Array(Math.max(bytes, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.used));
    this.bytes = larger;
  }

  begin(keys, values) {
    super.begin(keys, values);
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = new Uint8Array(1024);
    this.used = 0;
    if (this.ends.length > 0) [this.changedKeys, this.ends] = [[], []];
    if (this.clearedKeys.length > 0) this.clearedKeys = [];
    this.hasGone = false;
  }

  finish(effects) {
    const { changedKeys, clearedKeys } = this;
    if (changedKeys.length + clearedKeys.length > 0) effects.values.push(this.written());
    this.place.reportReads(clearedKeys.length === 0 ? changedKeys : [...changedKeys, ...clearedKeys], effects);
    this.begin(0, undefined);
  }

  written() {
    const state = this.place.number;
    const { slots, clearedKeys } = this;
    const cleared = clearedKeys.length === 0 ? clearedKeys : [...new Set(clearedKeys)].filter((key) => slots[key] === CLEARED);
    if (this.hasGone) this.compact();
    const items = { data: this.bytes.subarray(0, this.used), ends: u32sFrom(this.ends) };
    return { state, cleared: u32sFrom(cleared), set: { keys: u32sFrom(this.changedKeys), items } };
  }

  /** Leaves what counts. */
  compact() {
    const { bytes, ends, changedKeys } = this;
    const [keys, kept] = [[], []];
    let used = 0;
    changedKeys.forEach((key, number) => {
      if (key === GONE) return;
      const start = this.startOf(number + 1);
      bytes.copyWithin(used, start, ends[number]);
      used += ends[number] - start;
      keys.push(key);
      kept.push(used);
    });
    [this.changedKeys, this.ends, this.used] = [keys, kept, used];
  }
}
