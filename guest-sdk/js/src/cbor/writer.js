// Pieces of deterministic CBOR (RFC 8949, section 4.2) as binary strings: heads in their shortest form, texts, and maps in the order of their
// encoded keys.

import { utf8Of } from '../binary.js';

/** The character of each byte. */
export const CHARACTERS = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

/** The head of an item whose argument is a Number up to 2^53. */
export function head(major, argument) {
  const first = major << 5;
  if (argument < 24) return CHARACTERS[first | argument];
  if (argument < 0x100) return CHARACTERS[first | 24] + CHARACTERS[argument];
  if (argument < 0x10000) return CHARACTERS[first | 25] + CHARACTERS[argument >> 8] + CHARACTERS[argument & 0xff];
  if (argument < 0x100000000) return CHARACTERS[first | 26] + four(argument);
  return CHARACTERS[first | 27] + four(Math.floor(argument / 0x100000000)) + four(argument % 0x100000000);
}

/** The head of an item whose argument is a BigInt of 64 bits at most. */
export function bigHead(major, argument) {
  if (argument < 24n) return CHARACTERS[(major << 5) | Number(argument)];
  if (argument <= 0xffffffffn) return head(major, Number(argument));
  return CHARACTERS[(major << 5) | 27] + four(Number(argument >> 32n)) + four(Number(argument & 0xffffffffn));
}

function four(number) {
  return String.fromCharCode(number >>> 24, (number >>> 16) & 0xff, (number >>> 8) & 0xff, number & 0xff);
}

/** A text. */
export function text(value) {
  const binary = utf8Of(value);
  return head(3, binary.length) + binary;
}

/** A map of encoded entries, each a key and a value; `twice` makes what is thrown where one key stands twice. */
export function map(entries, twice) {
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  for (let index = 1; index < entries.length; index++) {
    if (entries[index][0] === entries[index - 1][0]) throw twice();
  }
  return head(5, entries.length) + entries.map(([key, value]) => key + value).join('');
}
