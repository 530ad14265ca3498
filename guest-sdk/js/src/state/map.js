// Maps: one for each key, or one of the whole subtask. Entries are read one by one or scanned in the order of their encoded keys, put, removed,
// cleared. They stay with the host.

import { Column } from '../columns.js';
import { columnOf, u32sFrom } from '../column_writer.js';
import { PAGE_BYTES } from './list.js';
import { Overlay } from './overlay.js';

/** What both kinds of maps do. */
class EntriesState {
  constructor(place, { types: [key, value] }) {
    this.place = place;
    this.keyType = key;
    this.valueType = value;
  }

  get(key) {
    const binary = this.find(key);
    return binary === undefined ? undefined : this.place.decode(this.valueType, binary, 0, binary.length);
  }

  contains(key) {
    return this.find(key) !== undefined;
  }

  put(key, value) {
    const overlay = this.changing();
    const entry = this.entryOf(key);
    overlay.put(entry, this.place.encode(this.valueType, value, 'encode a value of'));
  }

  remove(key) {
    this.changing().remove(this.entryOf(key));
  }

  clear() {
    this.changing().clear();
  }

  isEmpty() {
    return this.shown().scan().next().done;
  }

  *[Symbol.iterator]() {
    const { place } = this;
    for (const [key, value] of this.shown().scan()) {
      place.noteRead();
      yield [place.decode(this.keyType, key, 0, key.length), place.decode(this.valueType, value, 0, value.length)];
    }
  }

  entries() {
    return this[Symbol.iterator]();
  }

  *keys() {
    for (const [key] of this) yield key;
  }

  *values() {
    for (const [, value] of this) yield value;
  }

  entryOf(key) {
    return this.place.encode(this.keyType, key, 'encode a key of');
  }

  find(key) {
    const value = this.shown().get(this.entryOf(key));
    if (value !== undefined) this.place.noteRead();
    return value;
  }
}

/** The map of the record's key. */
export class MapState extends EntriesState {
  constructor(place, declaration) {
    super(place, declaration);
    /** Of the keys that were looked at. */
    this.overlays = new Map();
  }

  shown() {
    const key = this.place.key();
    let overlay = this.overlays.get(key);
    if (overlay === undefined) {
      const { collections } = this.place.host;
      const { number } = this.place;
      const lookUp = (entry) => firstOf(collections.mapGet(number, key, columnOf([entry])));
      this.overlays.set(key, (overlay = new Overlay(lookUp, (start) => collections.mapScan(number, key, start, PAGE_BYTES))));
    }
    return overlay;
  }

  changing() {
    return this.shown();
  }

  begin() {
    if (this.overlays.size > 0) this.overlays.clear();
    this.place.reads?.clear();
  }

  finish(effects) {
    const [cleared, removed, put] = [[], [], []];
    for (const [key, overlay] of this.overlays) {
      const changes = overlay.changes();
      if (overlay.cleared) cleared.push(key);
      for (const entry of changes.removed) removed.push([key, entry]);
      for (const [entry, value] of changes.put) put.push([key, entry, value]);
    }
    if (cleared.length + removed.length + put.length > 0) {
      effects.maps.push({
        state: this.place.number,
        cleared: u32sFrom(cleared),
        removed: keyedColumnOf(removed),
        put: keyedColumnOf(put),
        values: columnOf(put.map(([, , value]) => value)),
      });
    }
    this.place.reportReads([], effects);
    this.begin();
  }
}

/** The map of the whole subtask, filled by the records of broadcast inputs. */
export class BroadcastState extends EntriesState {
  constructor(place, declaration) {
    super(place, declaration);
    const { collections } = place.host;
    const lookUp = (entry) => firstOf(collections.broadcastGet(place.number, columnOf([entry])));
    this.overlay = new Overlay(lookUp, (start) => collections.broadcastScan(place.number, start, PAGE_BYTES));
  }

  shown() {
    return this.overlay;
  }

  changing() {
    if (!this.place.cursor.isBroadcast) {
      throw new Error(`state \`${this.place.name}\` is changed by records of a broadcast input only: declare the input with \`partitioning: 'broadcast'\` and give it \`by = "broadcast"\` in the job file`);
    }
    return this.overlay;
  }

  begin() {
    this.overlay.reset(false);
  }

  finish(effects) {
    const { cleared } = this.overlay;
    const { removed, put } = this.overlay.changes();
    if (cleared || removed.length + put.length > 0) {
      effects.broadcasts.push({
        state: this.place.number,
        cleared,
        removed: columnOf(removed),
        put: columnOf(put.map(([entry]) => entry)),
        values: columnOf(put.map(([, value]) => value)),
      });
    }
    this.begin();
  }
}

/** The value of the one entry that was asked for, as a binary string. */
function firstOf({ items }) {
  const column = new Column(items);
  return column.count === 0 ? undefined : column.binary(0);
}

function keyedColumnOf(entries) {
  return { keys: u32sFrom(entries.map(([key]) => key)), items: columnOf(entries.map(([, entry]) => entry)) };
}
