// What a call does to lists and maps, against a plain model.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ListChange } from '../src/state/list_change.js';
import { Overlay } from '../src/state/overlay.js';
import { columnOf } from '../src/column_writer.js';
import { binaryOf } from '../src/binary.js';

/** Numbers that come again from a seed. */
function chance(seed) {
  return (below) => ((seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) >>> 8) % below;
}

/** A list as the host changes it. */
function applied(stored, { cleared, popped, kept, appended }) {
  const left = (cleared ? [] : stored).slice(popped);
  return [...left.slice(0, kept ?? left.length), ...appended];
}

test('whatever is done to a list comes to one change of it', () => {
  for (let seed = 1; seed < 2000; seed++) {
    const next = chance(seed);
    const stored = Array.from({ length: next(6) }, (_, index) => `s${index}`);
    const change = new ListChange(0, () => stored.length);
    let model = stored.slice();
    for (let step = 0; step < 8; step++) {
      const count = next(5);
      switch (next(8)) {
        case 0:
          change.clear();
          model = [];
          break;
        case 1:
        case 2:
          change.popFront(count);
          model = model.slice(count);
          break;
        case 3:
          change.truncate(count);
          model = model.slice(0, count);
          break;
        default:
          change.appended.push(`a${step}`);
          model.push(`a${step}`);
      }
      assert.equal(change.stored + change.appended.length, model.length, `seed ${seed}`);
    }
    assert.deepEqual(applied(stored, change), model, `seed ${seed}`);
  }
});

test('who appends alone does not ask how long the list is', () => {
  const change = new ListChange(0, () => assert.fail('it asks'));
  change.appended.push('a');
  assert.equal(change.isNothing, false);
});

/** Pages of two entries of a map, as the host hands them out. */
function pages(stored) {
  return (start) => {
    const from = start === null ? '' : binaryOf(start);
    const names = [...stored.keys()].sort().filter((name) => name >= from);
    const shown = names.slice(0, 2);
    const next = names[2] === undefined ? null : Uint8Array.from(names[2], (character) => character.charCodeAt(0));
    return { entries: columnOf(shown), values: columnOf(shown.map((name) => stored.get(name))), next };
  };
}

test('whatever is done to a map comes to one change of it', () => {
  for (let seed = 1; seed < 2000; seed++) {
    const next = chance(seed);
    const name = () => String.fromCharCode(97 + next(6));
    const stored = new Map(Array.from({ length: next(6) }, () => [name(), 'old']));
    const overlay = new Overlay((entry) => stored.get(entry), pages(stored));
    const model = new Map(stored);
    for (let step = 0; step < 8; step++) {
      const entry = name();
      switch (next(10)) {
        case 0:
          overlay.clear();
          model.clear();
          break;
        case 1:
        case 2:
        case 3:
          overlay.remove(entry);
          model.delete(entry);
          break;
        case 4:
          assert.equal(overlay.get(entry), model.get(entry), `seed ${seed}`);
          break;
        default:
          overlay.put(entry, `n${step}`);
          model.set(entry, `n${step}`);
      }
      assert.deepEqual([...overlay.scan()], [...model].sort(), `seed ${seed}`);
    }
    const { put, removed } = overlay.changes();
    const after = overlay.cleared ? new Map() : new Map(stored);
    removed.forEach((entry) => after.delete(entry));
    put.forEach(([entry, value]) => after.set(entry, value));
    assert.deepEqual([...after].sort(), [...model].sort(), `seed ${seed}`);
  }
});
