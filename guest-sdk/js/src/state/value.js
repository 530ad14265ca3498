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
    /** Of the call: what came with it. */
    this.stored = undefined;
    this.column = undefined;
    /** Of each key the place of its value in the column, counted from 1. */
    this.storedAt = undefined;
    /** Of each key what was done, counted from 1: an index of the two below. */
    this.changedAt = undefined;
    this.changedKeys = [];
    /** What was set, encoded; null: it was cleared. */
    this.changes = [];
  }

  get() {
    const place = this.place;
    const key = place.key();
    if (this.storedAt === undefined) this.look();
    const change = this.changedAt[key];
    if (change !== 0) {
      const binary = this.changes[change - 1];
      return binary === null ? undefined : this.handOut(binary, 0, binary.length);
    }
    const at = this.storedAt[key];
    if (at === 0) return undefined;
    const column = this.column;
    if (column.whole === undefined && !column.convert()) {
      const binary = column.binary(at - 1);
      return this.handOut(binary, 0, binary.length);
    }
    return this.handOut(column.whole, at === 1 ? 0 : column.ends[at - 2], column.ends[at - 1]);
  }

  /** Every value that is handed out comes through here. */
  handOut(binary, start, end) {
    const place = this.place;
    if (place.reads !== undefined) place.noteRead();
    return place.decode(this.type, binary, start, end);
  }

  set(value) {
    const key = this.place.key();
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
    this.storedAt = this.changedAt = this.column = undefined;
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
    const { keys } = this.place.cursor;
    this.changedAt = new Uint32Array(keys);
    this.storedAt = new Uint32Array(keys);
    if (this.stored === undefined) return;
    const named = u32sOf(this.stored.keys);
    this.column = new Column(this.stored.items);
    for (let index = 0; index < named.length; index++) this.storedAt[named[index]] = index + 1;
  }

  change(key, to) {
    if (this.changedAt === undefined) this.look();
    const change = this.changedAt[key];
    if (change !== 0) {
      this.changes[change - 1] = to;
      return;
    }
    this.changes.push(to);
    this.changedKeys.push(key);
    this.changedAt[key] = this.changes.length;
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
