// JSON whose whole numbers are exact: a literal that a Number would round becomes a BigInt.
//
// `JSON.parse` is the engine's, so it is what reads every text. Only where one has sixteen digits in a row it is looked at again: whole numbers that are
// not safe are marked as texts, by a mark that no text of it has, and a reviver makes BigInts of these.

import { Failure } from './failure.js';

/** Sixteen digits are the fewest that an integer beyond 2^53 has. */
const MANY_DIGITS = /\d{16}/;
/** Texts, which are left as they are, and numbers. */
const TEXTS_AND_NUMBERS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;
const LONG_INTEGER = /^-?\d{16,}$/;
/** The most digits of a whole number: what more of them cost grows with their square. */
const DIGITS_MAX = 4_300;

/** Gives what JSON says, as `JSON.parse` does but for integers beyond 2^53, which are BigInts. */
export function parseJson(text, reviver) {
  if (!MANY_DIGITS.test(text)) return JSON.parse(text, reviver);
  const parsed = JSON.parse(text);
  const mark = markOf(parsed);
  let isMarked = false;
  const marked = text.replace(TEXTS_AND_NUMBERS, (literal) => {
    if (!LONG_INTEGER.test(literal) || Number.isSafeInteger(Number(literal))) return literal;
    if (literal.length > DIGITS_MAX) throw new Failure(`a whole number has ${literal.length} characters, and ${DIGITS_MAX} are the most`);
    isMarked = true;
    return `"${mark}${literal}"`;
  });
  if (!isMarked) return reviver === undefined ? parsed : JSON.parse(text, reviver);
  return JSON.parse(marked, function (key, value, context) {
    const isOurs = typeof value === 'string' && value.startsWith(mark);
    const source = isOurs ? value.slice(mark.length) : undefined;
    const exact = isOurs ? BigInt(source) : value;
    return reviver === undefined ? exact : reviver.call(this, key, exact, isOurs ? { source } : context);
  });
}

/** A text that is in none of a value's: more of one character than stand there in a row. */
function markOf(parsed) {
  const longest = (JSON.stringify(parsed).match(/!+/g) ?? []).reduce((most, { length }) => Math.max(most, length), 0);
  return '!'.repeat(longest + 1);
}
