// The windowed operator of the conformance tests. See `tests/conformance/README.md`.

import { Failure, i64, list, map, operator, string, u64, value } from 'weir-guest';
import { orNone, words } from './words.js';

function bounds(window) {
  return window === null ? '-' : `${window.start}..${window.end}`;
}

export default operator({
  name: 'conformance-windowed',
  version: '1.0.0',
  windowed: true,
  states: {
    sum: value(i64, { merge: (earlier, later) => earlier + later }),
    first: value(string, { merge: (earlier) => earlier }),
    words: list(string),
    tally: map(string, u64, { merge: (earlier, later) => earlier + later }),
  },

  process(record, ctx) {
    const [word, number] = words(record.text());
    if (word === 'fail') throw new Failure(number);
    ctx.sum.update((sum) => sum + BigInt(number));
    if (ctx.first.get() === undefined) ctx.first.set(word);
    ctx.words.append(word);
    ctx.tally.put(word, (ctx.tally.get(word) ?? 0n) + 1n);
  },

  onWindow({ window, reason, revision, replaces }, ctx) {
    const first = ctx.first.get();
    if (first === 'poison') throw new Failure(`poison in ${bounds(window)}`);
    const tally = Array.from(ctx.tally, ([word, times]) => `${word}:${times}`);
    const told = [`sum=${orNone(ctx.sum.get())}`, `first=${orNone(first)}`, `words=${[...ctx.words]}`, `tally=${tally}`, `replaces=${replaces.map(bounds)}`];
    ctx.emit([bounds(window), reason, revision, ...told].join(' '));
  },
});
