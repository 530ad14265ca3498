// Timers of the key that is being worked on: set and deleted by name and time. Key, name and time are a timer: setting it twice is setting it
// once. What a call does to one is folded, so that the last word counts and the host is told one thing.

import { S64Writer, U32Writer } from './column_writer.js';
import { timeOf } from './times.js';

/** The timers of the key that is being worked on. */
export class Timers {
  /** `declared`: the names of the operator's timers, in order. */
  constructor(cursor, declared) {
    this.cursor = cursor;
    this.numbers = new Map(declared.map((name, number) => [name, number]));
    /** What was done last, by key, time and number. */
    this.changes = new Map();
  }

  set(name, time) {
    this.change(name, time, true);
  }

  delete(name, time) {
    this.change(name, time, false);
  }

  change(name, time, isSet) {
    const timer = this.numbers.get(name);
    if (timer === undefined) throw new TypeError(`there is no timer \`${name}\`: declare it in \`timers\``);
    const { key } = this.cursor;
    if (key < 0) throw new Error(`timer \`${name}\` needs a key, and this input is not keyed: give it \`by = "key"\` in the job file`);
    const ms = timeOf(time);
    this.changes.set(`${timer} ${key} ${ms}`, { timer, key, time: ms, isSet });
  }

  begin() {
    if (this.changes.size > 0) this.changes.clear();
  }

  finish(effects) {
    if (this.changes.size === 0) return;
    const updates = new Map();
    for (const { timer, key, time, isSet } of this.changes.values()) {
      if (!updates.has(timer)) updates.set(timer, { set: new KeyTimes(), deleted: new KeyTimes() });
      updates.get(timer)[isSet ? 'set' : 'deleted'].push(key, time);
    }
    effects.timers = [...updates].map(([timer, { set, deleted }]) => ({ timer, set: set.finish(), deleted: deleted.finish() }));
  }
}

class KeyTimes {
  constructor() {
    this.keys = new U32Writer();
    this.times = new S64Writer();
  }

  push(key, time) {
    this.keys.push(key);
    this.times.push(time);
  }

  finish() {
    return { keys: this.keys.finish(), times: this.times.finish() };
  }
}
