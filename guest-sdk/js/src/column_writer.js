// Writing the flat columns of the world.
//
// Invariant: `data` and `ends` hold the items but for the texts that wait, which stand behind them. These are encoded together, as if they were of
// ASCII; where one is not, one by one. What is done for each record is a push to an array: all else is done once.

import { isAscii, utf8Of, writeBinary } from './binary.js';
import { bytesOfNumbers } from './columns.js';

/** Numbers to send, of as many bytes as `Numbers` has. */
class NumberWriter {
  constructor(Numbers) {
    this.numbers = new Numbers(16);
    this.count = 0;
  }

  push(number) {
    if (this.count === this.numbers.length) this.reserve(1);
    this.numbers[this.count++] = number;
  }

  /** Makes room for so many more. */
  reserve(more) {
    const needed = this.count + more;
    if (needed <= this.numbers.length) return;
    const larger = new this.numbers.constructor(Math.max(needed, 2 * this.numbers.length));
    larger.set(this.numbers);
    this.numbers = larger;
  }

  /** The numbers as they cross the boundary. */
  finish() {
    return bytesOfNumbers(this.numbers.subarray(0, this.count));
  }
}

/** A `u32s` that is being written. */
export class U32Writer extends NumberWriter {
  constructor() {
    super(Uint32Array);
  }
}

/** An `s64s` that is being written, of BigInts. */
export class S64Writer extends NumberWriter {
  constructor() {
    super(BigInt64Array);
  }
}

/** A `u64s` that is being written, of BigInts. */
export class U64Writer extends NumberWriter {
  constructor() {
    super(BigUint64Array);
  }
}

/** A column that is being written. */
export class ColumnWriter {
  constructor() {
    this.data = new Uint8Array(0);
    /** How many bytes of `data` are written. */
    this.written = 0;
    this.ends = new U32Writer();
    /** Texts that wait to be encoded. */
    this.texts = [];
  }

  get count() {
    return this.ends.count + this.texts.length;
  }

  /** Appends an item of text. */
  pushText(text) {
    this.texts.push(text);
  }

  /** Appends an item of bytes, which are copied. */
  pushBytes(bytes) {
    if (this.texts.length > 0) this.flush();
    this.reserve(bytes.length);
    this.data.set(bytes, this.written);
    this.ends.push((this.written += bytes.length));
  }

  /** Appends an item of text or bytes. */
  push(item) {
    if (typeof item === 'string') this.pushText(item);
    else this.pushBytes(item);
  }

  /** Encodes the texts that wait. */
  flush() {
    const { texts } = this;
    this.texts = [];
    const begin = this.written;
    if (this.append(texts.join(''))) return this.addEnds(texts, begin);
    const encoded = texts.map(utf8Of);
    const joined = encoded.join('');
    this.reserve(joined.length);
    writeBinary(this.data, this.written, joined);
    this.written += joined.length;
    this.addEnds(encoded, begin);
  }

  /** Appends a text of ASCII; false where it is none. */
  append(text) {
    if (text.length === 0) return true;
    this.reserve(text.length);
    try {
      writeBinary(this.data, this.written, text);
    } catch {
      return false;
    }
    if (!isAscii(this.data.subarray(this.written, this.written + text.length))) return false;
    this.written += text.length;
    return true;
  }

  /** Adds the ends of items of one byte a character, the first of which begins at `end`. */
  addEnds(items, end) {
    const { ends } = this;
    const count = items.length;
    ends.reserve(count);
    const { numbers } = ends;
    const first = ends.count;
    for (let index = 0; index < count; index++) numbers[first + index] = end += items[index].length;
    ends.count += count;
  }

  reserve(bytes) {
    const needed = this.written + bytes;
    if (needed <= this.data.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.data.length));
    larger.set(this.data.subarray(0, this.written));
    this.data = larger;
  }

  /** The column as it crosses the boundary. */
  finish() {
    if (this.texts.length > 0) this.flush();
    return { data: this.data.subarray(0, this.written), ends: this.ends.finish() };
  }
}

/** The column of binary strings. */
export function columnOf(binaries) {
  const joined = binaries.join('');
  const data = new Uint8Array(joined.length);
  if (joined.length > 0) writeBinary(data, 0, joined);
  const ends = new Uint32Array(binaries.length);
  let end = 0;
  const count = binaries.length;
  for (let index = 0; index < count; index++) ends[index] = end += binaries[index].length;
  return { data, ends: bytesOfNumbers(ends) };
}

/** A `u32s` of the numbers. */
export function u32sFrom(numbers) {
  const sent = new Uint32Array(numbers.length);
  sent.set(numbers);
  return bytesOfNumbers(sent);
}

/** A column without items. */
export function emptyColumn() {
  return { data: new Uint8Array(0), ends: new Uint8Array(0) };
}

/** A keyed column without items. */
export function emptyKeyedColumn() {
  return { keys: new Uint8Array(0), items: emptyColumn() };
}
