// A list for each key: appended to, read from a position on, shortened at either end, cleared. It stays with the host and is read page by page.

import { bytesOfNumbers, Column } from '../columns.js';
import { columnOf, u32sFrom } from '../column_writer.js';
import { ListChange } from './list_change.js';
import { countOf } from './numbers.js';

/** What one page of a list or map may hold: large enough that the call's cost is spread, small against a guest's memory. */
export const PAGE_BYTES = 64 * 1024;

/** The list of the record's key. */
export class ListState {
  constructor(place, { types: [type] }) {
    this.place = place;
    this.type = type;
    /** Of the keys that were looked at. */
    this.changes = new Map();
  }

  get length() {
    const change = this.change();
    return change.stored + change.appended.length;
  }

  isEmpty() {
    return this.length === 0;
  }

  get(index) {
    const change = this.change();
    const at = countOf(index, 'the index of an item');
    const { place, type } = this;
    if (at < change.stored) {
      const { items } = place.host.collections.listRead(place.number, change.key, change.popped + at, 1);
      return this.handOut(new Column(items).binary(0));
    }
    const binary = change.appended[at - change.stored];
    return binary === undefined ? undefined : this.handOut(binary);
  }

  append(...items) {
    const change = this.change();
    for (const item of items) change.appended.push(this.place.encode(this.type, item, 'encode an item of'));
  }

  popFront(count = 1) {
    this.change().popFront(countOf(count, 'how many items go'));
  }

  truncate(length) {
    this.change().truncate(countOf(length, 'how many items stay'));
  }

  clear() {
    this.change().clear();
  }

  /** The items as they are now: what is done to the list meanwhile does not show. */
  *[Symbol.iterator]() {
    const change = this.change();
    const { key, popped, stored } = change;
    const appended = change.appended.slice();
    for (let at = 0; at < stored; ) {
      const page = new Column(this.place.host.collections.listRead(this.place.number, key, popped + at, PAGE_BYTES).items);
      const count = Math.min(page.count, stored - at);
      for (let index = 0; index < count; index++) yield this.handOut(page.binary(index));
      at += count;
    }
    for (const binary of appended) yield this.handOut(binary);
  }

  begin() {
    if (this.changes.size > 0) this.changes.clear();
    this.place.reads?.clear();
  }

  finish(effects) {
    const changes = [...this.changes.values()].filter((change) => !change.isNothing);
    if (changes.length > 0) effects.lists.push(updateOf(this.place.number, changes));
    this.place.reportReads([], effects);
    this.begin();
  }

  /** The change of the shown key, which is made where there is none. */
  change() {
    const key = this.place.key();
    let change = this.changes.get(key);
    if (change === undefined) {
      const askLength = () => Number(this.place.host.collections.listLength(this.place.number, key));
      this.changes.set(key, (change = new ListChange(key, askLength)));
    }
    return change;
  }

  /** Every item that is handed out comes through here. */
  handOut(binary) {
    this.place.noteRead();
    return this.place.decode(this.type, binary, 0, binary.length);
  }
}

function updateOf(state, changes) {
  const counts = (of) => {
    const named = changes.filter((change) => of(change) !== undefined);
    return { keys: keysOf(named), counts: bytesOfNumbers(BigUint64Array.from(named, (change) => BigInt(of(change)))) };
  };
  const appended = changes.flatMap((change) => change.appended);
  const appendedTo = changes.flatMap((change) => change.appended.map(() => change.key));
  return {
    state,
    cleared: keysOf(changes.filter((change) => change.cleared)),
    popped: counts((change) => change.popped || undefined),
    truncated: counts((change) => change.kept),
    append: { keys: u32sFrom(appendedTo), items: columnOf(appended) },
  };
}

function keysOf(changes) {
  return u32sFrom(changes.map((change) => change.key));
}
