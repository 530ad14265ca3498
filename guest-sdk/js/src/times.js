// Times: milliseconds since the Unix epoch. They cross the boundary as 64-bit integers, and are Numbers here wherever that is exact.

import { told } from './types/type.js';

/** How 'no time' and 'no bound' cross the boundary. */
export const NO_TIME = -0x8000000000000000n;
const TIME_MAX = 0x7fffffffffffffffn;

/** A time as a Number; throws where it would not be exact. */
export function msOf(time) {
  const ms = Number(time);
  if (!Number.isSafeInteger(ms)) throw new RangeError(`the time ${time} has more than 53 bits, and no Number is that: its BigInt is beside it`);
  return ms;
}

/** A time that an author gives, as it crosses the boundary: ms as a Number or a BigInt, or a `Date`. */
export function timeOf(time) {
  if (typeof time === 'number' && Number.isSafeInteger(time)) return BigInt(time);
  if (typeof time === 'bigint' && time > NO_TIME && time <= TIME_MAX) return time;
  if (time instanceof Date && !Number.isNaN(time.getTime())) return BigInt(time.getTime());
  throw new TypeError(`${time instanceof Date ? 'an invalid Date' : told(time)} where a time is wanted: whole ms since the Unix epoch, as a number or a bigint, or a Date`);
}

/** How far event time has come: null, nowhere yet; Infinity, to the end of the input. */
export function watermarkOf(watermark) {
  const ms = Number(watermark);
  if (ms === Number(NO_TIME)) return null;
  return ms >= Number(TIME_MAX) ? Infinity : ms;
}
