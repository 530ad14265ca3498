// Counts and positions that an author gives.

import { told } from '../types/type.js';

/** A count as a Number, given as a Number or a BigInt; `what` it is of is said where it is none. */
export function countOf(count, what) {
  const number = typeof count === 'bigint' ? Number(count) : count;
  if (typeof number !== 'number' || !(number >= 0) || (number !== Infinity && !Number.isInteger(number))) {
    throw new TypeError(`${what}: ${told(count)} where a whole number from 0 is wanted`);
  }
  return Math.min(number, Number.MAX_SAFE_INTEGER);
}
