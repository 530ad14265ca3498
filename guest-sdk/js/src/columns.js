// Reading the flat columns of the world: little-endian integers and byte strings end to end.
//
// A column of texts is converted as a whole when its first text is asked for, which costs a record less than a call for each would.

import { binaryOf, isAscii } from './binary.js';
import { textOfBinary } from './utf8.js';

/** Up to this size a column is converted as a whole; a larger one item by item, since a guest's memory is small. */
const WHOLE_BYTES_MAX = 1 << 20;

/** The numbers of a `u32s`. */
export function u32sOf(bytes) {
  return new Uint32Array(...aligned(bytes, 4));
}

/** The numbers of an `s64s`. */
export function s64sOf(bytes) {
  return new BigInt64Array(...aligned(bytes, 8));
}

function aligned(bytes, size) {
  const { buffer, byteOffset } = byteOffsetFits(bytes, size) ? bytes : bytes.slice();
  return [buffer, byteOffset, bytes.length / size];
}

function byteOffsetFits(bytes, size) {
  return bytes.byteOffset % size === 0;
}

/** The bytes of a typed array, without a copy. */
export function bytesOfNumbers(numbers) {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Byte strings end to end, as they came from the host. */
export class Column {
  constructor({ data, ends }) {
    this.data = data;
    this.ends = u32sOf(ends);
    this.count = this.ends.length;
    /** The whole column as a binary string, once it was asked for. */
    this.whole = undefined;
    this.ascii = false;
    /** The byte that was searched for last, and whether it is there. */
    this.searched = undefined;
    this.found = false;
  }

  /** Says whether any item has this byte. */
  includes(byte) {
    if (this.searched !== byte) [this.searched, this.found] = [byte, this.data.includes(byte)];
    return this.found;
  }

  /** The bytes of an item: a view, no copy. */
  item(index) {
    return this.data.subarray(index === 0 ? 0 : this.ends[index - 1], this.ends[index]);
  }

  /** An item as a binary string. */
  binary(index) {
    if (this.whole === undefined && !this.convert()) return binaryOf(this.item(index));
    return this.whole.slice(index === 0 ? 0 : this.ends[index - 1], this.ends[index]);
  }

  /** An item as text; fails with a message about `what` where it is no UTF-8. */
  text(index, what) {
    if (this.whole === undefined && !this.convert()) return textOfBinary(binaryOf(this.item(index)), what);
    const binary = this.whole.slice(index === 0 ? 0 : this.ends[index - 1], this.ends[index]);
    return this.ascii ? binary : textOfBinary(binary, what);
  }

  /** Converts the column as a whole; false where it is too large for that. */
  convert() {
    if (this.data.length > WHOLE_BYTES_MAX) return false;
    this.whole = binaryOf(this.data);
    this.ascii = isAscii(this.data);
    return true;
  }
}

/** Says whether an ascending list of numbers has `number`. */
export function hasNumber(numbers, number) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < number) low = middle + 1;
    else high = middle;
  }
  return numbers[low] === number;
}
