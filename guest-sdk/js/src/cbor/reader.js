// Reads deterministic CBOR (RFC 8949, section 4.2) off a binary string. It takes that form and no other, and never reads past the end.
//
// Types do not contain themselves, so values nest no deeper than they do. One value is read at a time, so the place is kept in the module: a method call and its fields would cost the interpreter twice as much.

import { readFloat } from './float.js';
import { textOf } from '../binary.js';

let input = '';
let at = 0;
let end = 0;

/** Bytes that are no deterministic encoding of the value asked for. */
export class CborError extends Error {
  get name() {
    return 'CborError';
  }
}

/** Reads the one value that stands in `binary` from `start` to `stop`, by `read`. */
export function readWhole(read, binary, start, stop) {
  input = binary;
  at = start;
  end = stop;
  const value = read();
  if (at !== end) throw new CborError(`${end - at} bytes follow the value`);
  return value;
}

/** Passes `prefix` where it comes next; says whether it did. */
export function skip(prefix) {
  if (!input.startsWith(prefix, at) || at + prefix.length > end) return false;
  at += prefix.length;
  return true;
}

/** Reads an integer of major type 0 or 1 as a Number; one of more than 53 bits is refused as too large for `what`. */
export function readNumber(what) {
  const first = input.charCodeAt(at);
  if (first < 24 && at < end) {
    at++;
    return first;
  }
  const { major, argument } = head(what);
  if (major > 1) throw expected(what, major);
  return major === 0 ? argument : -1 - argument;
}

const SMALL = Array.from({ length: 24 }, (_, number) => BigInt(number));

/** Reads an integer of major type 0 or 1 as a BigInt. */
export function readBigInt(what) {
  const first = input.charCodeAt(at);
  if (first < 24 && at < end) {
    at++;
    return SMALL[first];
  }
  const { major, argument, exact } = head(what);
  if (major > 1) throw expected(what, major);
  const magnitude = exact ?? BigInt(argument);
  return major === 0 ? magnitude : -1n - magnitude;
}

/** Reads a text. */
export function readText() {
  const binary = take(length(3, 'a text'));
  try {
    return textOf(binary);
  } catch {
    throw new CborError('a text is not UTF-8');
  }
}

/** Reads bytes as a binary string. */
export function readBytes() {
  return take(length(2, 'bytes'));
}

/** Reads the head of an array and says how many items follow. */
export function readArray() {
  return items(length(4, 'an array'));
}

/** Reads the head of a map and says how many entries follow. */
export function readMap() {
  return items(length(5, 'a map'));
}

/** Reads null, true or false, or else fails as `what` was expected. */
export function readSimple(what) {
  const first = at < end ? input.charCodeAt(at) : -1;
  if (first < 0xf4 || first > 0xf6) throw expected(what, first < 0 ? -1 : first >> 5);
  at++;
  return first === 0xf6 ? null : first === 0xf5;
}

/** Says whether null comes next, and passes it. */
export function skipNull() {
  if (at >= end || input.charCodeAt(at) !== 0xf6) return false;
  at++;
  return true;
}

/** The major type of what comes next. */
export function peekMajor() {
  return at < end ? input.charCodeAt(at) >> 5 : -1;
}

/** Reads a float. */
export function readDouble() {
  const first = at < end ? input.charCodeAt(at) : -1;
  if (first < 0xf9 || first > 0xfb) throw expected('a float', first < 0 ? -1 : first >> 5);
  return readFloat(take(1 + (1 << (first - 0xf8))), CborError);
}

/** The place that was read up to: what `since` counts from. */
export function place() {
  return at;
}

/** What was read since a place, as it is encoded. */
export function since(start) {
  return input.slice(start, at);
}

function items(count) {
  if (count > end - at) throw new CborError(`${count} items in ${end - at} bytes`);
  return count;
}

function length(major, what) {
  const found = head(what);
  if (found.major !== major) throw expected(what, found.major);
  return found.argument;
}

function take(bytes) {
  if (bytes > end - at) throw new CborError(`an item of ${bytes} bytes with ${end - at} left`);
  const taken = input.slice(at, at + bytes);
  at += bytes;
  return taken;
}

/** Reads the head of an item. `exact` is there where the argument has more than 32 bits. */
function head(what) {
  if (at >= end) throw new CborError(`the bytes end where ${what} was expected`);
  const first = input.charCodeAt(at++);
  const [major, info] = [first >> 5, first & 31];
  if (info < 24) return { major, argument: info };
  if (info > 27) throw new CborError(info < 31 ? `the byte 0x${first.toString(16)} begins no item` : 'an item of indefinite length is not deterministic');
  const bytes = take(1 << (info - 24));
  let argument = 0;
  for (let index = 0; index < bytes.length; index++) argument = argument * 256 + bytes.charCodeAt(index);
  if (argument < [24, 0x100, 0x10000, 0x100000000][info - 24]) throw new CborError(`the number ${argument} is not in its shortest form`);
  return { major, argument, exact: info === 27 ? exactly(bytes) : undefined };
}

function exactly(bytes) {
  let number = 0n;
  for (let index = 0; index < bytes.length; index++) number = (number << 8n) | BigInt(bytes.charCodeAt(index));
  return number;
}

const MAJORS = ['an integer', 'an integer', 'bytes', 'a text', 'an array', 'a map', 'a tag', 'a simple value or float'];

function expected(what, major) {
  return new CborError(`${MAJORS[major] ?? 'nothing'} where ${what} was expected`);
}
