// Text and bytes, for authors: QuickJS has neither TextEncoder nor TextDecoder.

import { Failure } from './failure.js';
import { binaryOf, bytesOf, textOf, utf8Of } from './binary.js';

/** Gives the UTF-8 of a text. */
export function encodeText(text) {
  return bytesOf(utf8Of(text));
}

/** Gives the text whose UTF-8 the bytes are; fails where they are none. */
export function decodeText(bytes) {
  return textOfBinary(binaryOf(bytes), 'the text');
}

/** Gives the text whose UTF-8 the bytes are, with U+FFFD in place of what is none. */
export function decodeTextLossy(bytes) {
  const binary = binaryOf(bytes);
  try {
    return textOf(binary);
  } catch {
    return replaced(binary);
  }
}

/** Gives the text of a binary string; fails with a message about `what` where it is no UTF-8. */
export function textOfBinary(binary, what) {
  try {
    return textOf(binary);
  } catch {
    throw new Failure(`${what} is not UTF-8: invalid utf-8 after ${validBytes(binary)} bytes`);
  }
}

/** What begins a character, by how many bytes it has, with the ranges that its second byte may have (Unicode, table 3-7). */
const WELL_FORMED = /[\x00-\x7f]+|(?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})/y;
/** The longest beginning of a character that breaks off: one U+FFFD stands for it, as the WHATWG's decoder has it. */
const BROKEN = /\xe0[\xa0-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]|\xed[\x80-\x9f]|\xf0[\x90-\xbf][\x80-\xbf]?|[\xf1-\xf3][\x80-\xbf]{1,2}|\xf4[\x80-\x8f][\x80-\xbf]?|[^]/y;

/** How many bytes at the front are UTF-8. */
function validBytes(binary) {
  let at = 0;
  for (;;) {
    WELL_FORMED.lastIndex = at;
    if (!WELL_FORMED.test(binary)) return at;
    at = WELL_FORMED.lastIndex;
  }
}

function replaced(binary) {
  const pieces = [];
  for (let at = 0; at < binary.length; ) {
    WELL_FORMED.lastIndex = at;
    const good = WELL_FORMED.exec(binary);
    BROKEN.lastIndex = at;
    const piece = good ?? BROKEN.exec(binary);
    pieces.push(good === null ? '\ufffd' : textOf(piece[0]));
    at += piece[0].length;
  }
  return pieces.join('');
}
