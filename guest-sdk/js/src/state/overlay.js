// One map as a call sees it: what the host has, read entry by entry or page by page, with what the call wrote laid over it.
//
// Keys and values of entries are binary strings here, so that they compare in the order of their bytes.

import { Column } from '../columns.js';

/** What a call read and did of one map. An entry that was read once is kept for the call. */
export class Overlay {
  /**
   * @param {(entry: string) => string | undefined} lookUp Asks the host for the value of an entry.
   * @param {(start: Uint8Array | null) => object} page Asks the host for entries from one on.
   */
  constructor(lookUp, page) {
    this.lookUp = lookUp;
    this.page = page;
    this.reset(false);
  }

  reset(cleared) {
    this.cleared = cleared;
    /** Values by entry; `undefined`: there is none. */
    this.entries = new Map();
    /** Entries that were put or removed. */
    this.written = new Set();
  }

  get(entry) {
    if (this.entries.has(entry)) return this.entries.get(entry);
    const value = this.cleared ? undefined : this.lookUp(entry);
    this.entries.set(entry, value);
    return value;
  }

  put(entry, value) {
    this.entries.set(entry, value);
    this.written.add(entry);
  }

  remove(entry) {
    this.put(entry, undefined);
  }

  clear() {
    this.reset(true);
  }

  /** Keys and values of all entries as they are now, in byte order. */
  *scan() {
    const own = [...this.entries].sort(([a], [b]) => (a < b ? -1 : 1));
    let next = 0;
    for (const [entry, value] of this.stored()) {
      for (; next < own.length && own[next][0] < entry; next++) if (own[next][1] !== undefined) yield own[next];
      if (next < own.length && own[next][0] === entry) {
        if (own[next][1] !== undefined) yield own[next];
        next++;
      } else {
        yield [entry, value];
      }
    }
    for (; next < own.length; next++) if (own[next][1] !== undefined) yield own[next];
  }

  /** What the host has. */
  *stored() {
    if (this.cleared) return;
    let start = null;
    do {
      const page = this.page(start);
      const [entries, values] = [new Column(page.entries), new Column(page.values)];
      for (let index = 0; index < entries.count; index++) yield [entries.binary(index), values.binary(index)];
      start = page.next;
    } while (start !== null && start !== undefined);
  }

  /** What is left to tell the host of the entries, in byte order. */
  changes() {
    const [put, removed] = [[], []];
    for (const entry of [...this.written].sort()) {
      const value = this.entries.get(entry);
      if (value !== undefined) put.push([entry, value]);
      else if (!this.cleared) removed.push(entry);
    }
    return { put, removed };
  }
}
