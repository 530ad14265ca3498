// One value for each key. What is kept comes with the call.
//
// Invariant: what `get` gives follows from the bytes alone, those that came or those that were set, so that it is the same wherever a batch was
// cut. So a value is encoded when it is set, and what was handed out may be changed without changing the state.

import { emptyKeyedColumn, columnOf, u32sFrom } from '../column_writer.js';
import { Column, u32sOf } from '../columns.js';

/** The value of the record's key. */
export class ValueState {
  constructor(place, { types: [type], initial }) {
    this.place = place;
    this.type = type;
    /** What an update begins with where there is no value, encoded; `undefined`: the zero of the type. */
    this.initial = initial === undefined ? undefined : place.encode(type, initial, 'encode the initial value of');
    this.cursor = place.cursor;
    /** Of the call: what came with it. */
    this.stored = undefined;
    this.column = undefined;
    /** Of each key, where its value is: below 0 in the column, from -1 on; above 0 among the changes, from 1 on; 0: nowhere. */
    this.slots = undefined;
    this.changedKeys = [];
    /** What was set, encoded; null: it was cleared. */
    this.changes = [];
  }

  get() {
    const { key } = this.cursor;
    if (key < 0) throw this.place.unkeyed();
    if (this.slots === undefined) this.look();
    const slot = this.slots[key];
    if (slot === 0) return undefined;
    if (slot > 0) {
      const binary = this.changes[slot - 1];
      return binary === null ? undefined : this.handOut(binary, 0, binary.length);
    }
    const { whole, ends } = this.column;
    if (whole !== undefined) return this.handOut(whole, slot === -1 ? 0 : ends[-slot - 2], ends[-slot - 1]);
    const binary = this.column.binary(-slot - 1);
    return this.handOut(binary, 0, binary.length);
  }

  /** Every value that is handed out comes through here. */
  handOut(binary, start, end) {
    const { place, type } = this;
    if (place.reads !== undefined) place.noteRead();
    if (type.readAt !== undefined) {
      const value = type.readAt(binary, start, end);
      if (value !== undefined) return value;
    }
    return place.decode(type, binary, start, end);
  }

  set(value) {
    const { key } = this.cursor;
    if (key < 0) throw this.place.unkeyed();
    let binary;
    try {
      binary = this.type.encode(value);
    } catch (error) {
      throw this.place.unfit(error, 'encode');
    }
    this.change(key, binary);
  }

  clear() {
    this.change(this.place.key(), null);
  }

  change(key, to) {
    if (this.slots === undefined) this.look();
    const { slots, changes } = this;
    const slot = slots[key];
    if (slot > 0) {
      changes[slot - 1] = to;
      return;
    }
    slots[key] = changes.push(to);
    this.changedKeys.push(key);
  }

  update(change) {
    const before = this.get();
    const value = change(before === undefined ? this.first() : before);
    this.set(value);
    return value;
  }

  /** What an update begins with where there is no value. */
  first() {
    const { initial, type } = this;
    if (initial !== undefined) return this.place.decode(type, initial, 0, initial.length);
    if (type.zero === undefined) throw new Error(`state \`${this.place.name}\` has no value to update: say \`initial\` where it is declared`);
    return type.zero();
  }

  begin(_keys, values) {
    this.stored = values;
    this.slots = this.column = undefined;
    if (this.changes.length > 0) [this.changedKeys, this.changes] = [[], []];
    this.place.reads?.clear();
  }

  finish(effects) {
    if (this.changes.length > 0) effects.values.push(this.written());
    this.place.reportReads(this.changedKeys, effects);
    this.begin(0, undefined);
  }

  /** Finds out which keys have a value. */
  look() {
    this.slots = new Int32Array(this.cursor.keys);
    if (this.stored === undefined) return;
    const { slots } = this;
    const named = u32sOf(this.stored.keys);
    const count = named.length;
    this.column = new Column(this.stored.items);
    if (!this.type.isRaw) this.column.convert();
    for (let index = 0; index < count; index++) slots[named[index]] = -1 - index;
  }

  written() {
    const { changes, changedKeys } = this;
    const state = this.place.number;
    if (!changes.includes(null)) {
      return { state, cleared: new Uint8Array(0), set: { keys: u32sFrom(changedKeys), items: columnOf(changes) } };
    }
    const keys = changedKeys.filter((_, index) => changes[index] !== null);
    const cleared = changedKeys.filter((_, index) => changes[index] === null);
    const set = keys.length === 0 ? emptyKeyedColumn() : { keys: u32sFrom(keys), items: columnOf(changes.filter((change) => change !== null)) };
    return { state, cleared: u32sFrom(cleared), set };
  }
}
