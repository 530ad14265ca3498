// Lines in, words out: each word is the key of a record with an empty value.
//
// A word is a maximal run of Unicode letters and digits, lower-cased. There is no state, so the input needs no key; what follows counts the words
// behind an edge with `by = "key"`.

import { operator } from 'weir-guest';

const WORDS = /[\p{Alphabetic}\p{N}]+/gu;

export default operator({
  name: 'word-count-split',
  version: '0.1.0',

  process(record, ctx) {
    for (const word of record.text().match(WORDS) ?? []) ctx.emit('', { key: word.toLowerCase() });
  },
});
