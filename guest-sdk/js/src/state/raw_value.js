// One value of an author's own bytes for each key. They stay bytes all the way: to make a binary string of them and back would cost more than they do.

import { ColumnWriter, emptyKeyedColumn, u32sFrom } from '../column_writer.js';
import { ValueState } from './value.js';

/** A copy, whatever class of bytes an author gives: that of the package `buffer` has a `slice` that copies nothing. */
const copied = Uint8Array.prototype.slice;

/** The value of the record's key. What is changed here is a copy of what was set. */
export class RawValueState extends ValueState {
  get() {
    const { key } = this.cursor;
    if (key < 0) throw this.place.unkeyed();
    if (this.slots === undefined) this.look();
    const slot = this.slots[key];
    if (slot === 0) return undefined;
    const change = slot > 0 ? this.changes[slot - 1] : undefined;
    if (change === null) return undefined;
    if (this.place.reads !== undefined) this.place.noteRead();
    if (slot > 0) return copied.call(change);
    const { data, ends } = this.column;
    return copied.call(data, slot === -1 ? 0 : ends[-slot - 2], ends[-slot - 1]);
  }

  set(value) {
    const { key } = this.cursor;
    if (key < 0) throw this.place.unkeyed();
    // What is none says so.
    if (!(value instanceof Uint8Array)) this.place.encode(this.type, value, 'encode');
    this.change(key, copied.call(value));
  }

  written() {
    const { changes, changedKeys } = this;
    const [keys, cleared, items] = [[], [], new ColumnWriter()];
    items.reserve(changes.reduce((bytes, change) => bytes + (change?.length ?? 0), 0));
    for (let index = 0; index < changes.length; index++) {
      const change = changes[index];
      if (change === null) {
        cleared.push(changedKeys[index]);
        continue;
      }
      keys.push(changedKeys[index]);
      items.pushBytes(change);
    }
    const set = keys.length === 0 ? emptyKeyedColumn() : { keys: u32sFrom(keys), items: items.finish() };
    return { state: this.place.number, cleared: u32sFrom(cleared), set };
  }
}
