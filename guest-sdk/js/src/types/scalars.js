// Types that are a word of the grammar: numbers, texts, bytes.

import { encodeFloat } from '../cbor/float.js';
import { bytesOf, binaryOf } from '../binary.js';
import { CborError, readBigInt, readBytes, readDouble, readNumber, readSimple, readText } from '../cbor/reader.js';
import { bigHead, CHARACTERS, head, text } from '../cbor/writer.js';
import { Misfit, misfit, Type } from './type.js';

/** An integer that is a Number. */
function integer(schema, min, max) {
  const what = `an integer from ${min} to ${max} (${schema})`;
  const checked = (value) => {
    if (!Number.isInteger(value) || value < min || value > max) throw misfit(value, what);
    return value;
  };
  return new Type({
    schema,
    inlined: { kind: 'integer', min, max },
    zero: () => 0,
    encode(value) {
      if (typeof value !== 'number' || !(value >= min && value <= max) || value % 1 !== 0) throw misfit(value, what);
      return value < 0 ? head(1, -1 - value) : head(0, value === 0 ? 0 : value);
    },
    read() {
      const value = readNumber(what);
      if (value < min || value > max) throw new CborError(`${value} is no ${schema}`);
      return value;
    },
    fromJson: checked,
  });
}

const toNumber = Number;

/** An integer that is a BigInt. */
function bigInteger(schema, min, max) {
  const what = `a bigint (${schema})`;
  return new Type({
    schema,
    inlined: { kind: 'bigint', min: Number(min), max: Number(max) },
    zero: () => 0n,
    encode(value) {
      if (typeof value === 'bigint') {
        const number = toNumber(value);
        // Comparisons of numbers cost an interpreter far less than those of BigInts.
        if (number >= 0 && number <= Number.MAX_SAFE_INTEGER) return head(0, number);
      }
      if (typeof value !== 'bigint') throw misfit(value, typeof value === 'number' ? `${what}, as ${wouldBe(value)},` : what);
      if (value < min || value > max) throw new Misfit(`${value}n is no ${schema}: it goes from ${min} to ${max}`);
      return value < 0n ? bigHead(1, -1n - value) : bigHead(0, value);
    },
    read() {
      const value = readBigInt(what);
      if (value < min || value > max) throw new CborError(`${value} is no ${schema}`);
      return value;
    },
    fromJson(json) {
      const value = typeof json === 'string' && /^-?\d+$/.test(json) ? BigInt(json) : Number.isSafeInteger(json) || typeof json === 'bigint' ? BigInt(json) : undefined;
      if (value === undefined || value < min || value > max) throw misfit(json, `an integer from ${min} to ${max}`);
      return value;
    },
  });
}

function wouldBe(value) {
  return Number.isInteger(value) ? `${BigInt(value)}n` : '1n';
}

function float(schema, round) {
  return new Type({
    schema,
    zero: () => 0,
    encode(value) {
      if (typeof value !== 'number') throw misfit(value, `a number (${schema})`);
      return encodeFloat(round(value));
    },
    read: () => round(readDouble()),
    fromJson(json) {
      if (typeof json !== 'number' && typeof json !== 'bigint') throw misfit(json, 'a number');
      return Number(json);
    },
  });
}

export const u8 = integer('u8', 0, 0xff);
export const u16 = integer('u16', 0, 0xffff);
export const u32 = integer('u32', 0, 0xffffffff);
export const i8 = integer('i8', -0x80, 0x7f);
export const i16 = integer('i16', -0x8000, 0x7fff);
export const i32 = integer('i32', -0x80000000, 0x7fffffff);
export const u64 = bigInteger('u64', 0n, 0xffffffffffffffffn);
export const i64 = bigInteger('i64', -0x8000000000000000n, 0x7fffffffffffffffn);
export const f32 = float('f32', Math.fround);
export const f64 = float('f64', (value) => value);

export const bool = new Type({
  schema: 'bool',
  inlined: { kind: 'bool' },
  zero: () => false,
  encode(value) {
    if (typeof value !== 'boolean') throw misfit(value, 'true or false');
    return CHARACTERS[value ? 0xf5 : 0xf4];
  },
  read() {
    const value = readSimple('true or false');
    if (value === null) throw new CborError('null where true or false was expected');
    return value;
  },
  fromJson(json) {
    if (typeof json !== 'boolean') throw misfit(json, 'true or false');
    return json;
  },
});

export const string = new Type({
  schema: 'string',
  inlined: { kind: 'text' },
  zero: () => '',
  encode(value) {
    if (typeof value !== 'string') throw misfit(value, 'a text');
    if (!value.isWellFormed()) throw new Misfit('the text has half of a surrogate pair, which UTF-8 cannot say');
    return text(value);
  },
  read: readText,
  fromJson(json) {
    if (typeof json !== 'string') throw misfit(json, 'a text');
    return json;
  },
});

export const bytes = new Type({
  schema: 'bytes',
  zero: () => new Uint8Array(0),
  encode(value) {
    if (!(value instanceof Uint8Array)) throw misfit(value, 'a Uint8Array');
    return head(2, value.length) + binaryOf(value);
  },
  read: () => bytesOf(readBytes()),
  fromJson(json) {
    throw misfit(json, 'what a config can say, which bytes are not,');
  },
});

export const unit = new Type({
  schema: 'unit',
  zero: () => null,
  encode(value) {
    if (value !== null) throw misfit(value, 'null');
    return '\xf6';
  },
  read() {
    if (readSimple('null') !== null) throw new CborError('true or false where null was expected');
    return null;
  },
  fromJson(json) {
    if (json !== null) throw misfit(json, 'null');
    return null;
  },
});

/** Any JSON, as it is: for configs alone. It has no encoding, so no state is of it. */
export const json = new Type({
  schema: 'json',
  encode(value) {
    throw misfit(value, 'a type that state can have, which json is not,');
  },
  read() {
    throw new CborError('json is no type of state');
  },
  fromJson: (value) => value,
});

/** The bytes of an author's own: the state as a whole is `raw`, and says nothing of them. */
export const raw = new Type({
  schema: 'raw',
  isRaw: true,
  zero: () => new Uint8Array(0),
  encode(value) {
    if (!(value instanceof Uint8Array)) throw misfit(value, 'a Uint8Array');
    return binaryOf(value);
  },
  read() {
    throw new CborError('raw bytes are no CBOR');
  },
  fromJson(json) {
    throw misfit(json, 'what a config can say, which bytes are not,');
  },
});
