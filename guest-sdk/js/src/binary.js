// Bytes, binary strings and text.
//
// A binary string has one character for each byte, of the codes 0 to 255. The SDK keeps encoded state as such: they concatenate, compare in
// the order of their bytes, are keys of a `Map`, and are searched by code of the engine, where a loop over bytes in QuickJS costs a hundred
// nanoseconds a step. QuickJS has no TextEncoder; what it has is base64 both ways, at about five nanoseconds a byte.

/** How many bytes are converted at a time, so that what lies between is small against a guest's memory. */
const CHUNK = 3 << 16;

const hasBase64 = typeof Uint8Array.prototype.toBase64 === 'function';

/** Converts a piece to a binary string. Node 20 has no base64 of byte arrays, and Buffer instead. */
const pieceToBinary = hasBase64
  ? (bytes) => atob(bytes.toBase64())
  : (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

/** Writes a piece of a binary string at the beginning of `target`; throws where a character is above 255. */
const writePiece = hasBase64
  ? (target, binary) => void target.setFromBase64(btoa(binary))
  : (target, binary) => void Buffer.from(btoa(binary), 'base64').copy(target);

/** Gives the bytes as a binary string. */
export function binaryOf(bytes) {
  if (bytes.length <= CHUNK) return bytes.length === 0 ? '' : pieceToBinary(bytes);
  const pieces = [];
  for (let at = 0; at < bytes.length; at += CHUNK) pieces.push(pieceToBinary(bytes.subarray(at, at + CHUNK)));
  return pieces.join('');
}

/** Writes a binary string into `target` from `at` on; throws where a character is above 255, and may have written a part then. */
export function writeBinary(target, at, binary) {
  if (binary.length <= CHUNK) return writePiece(target.subarray(at), binary);
  for (let from = 0; from < binary.length; from += CHUNK) {
    writePiece(target.subarray(at + from), binary.slice(from, from + CHUNK));
  }
}

/** Gives the bytes of a binary string. */
export function bytesOf(binary) {
  const bytes = new Uint8Array(binary.length);
  if (binary.length > 0) writeBinary(bytes, 0, binary);
  return bytes;
}

const NOT_ASCII = /[^\x00-\x7f]/;

/** Says whether all characters are of ASCII. */
export function isAsciiText(text) {
  return !NOT_ASCII.test(text);
}

/** Says whether all bytes are of ASCII. */
export function isAscii(bytes) {
  const { length, buffer, byteOffset } = bytes;
  const lane = byteOffset % 4 === 0 ? length >> 6 : 0;
  let seen = lane > 0 ? seenIn(buffer, byteOffset, lane) : 0;
  const words = byteOffset % 4 === 0 ? new Int32Array(buffer, byteOffset, length >> 2) : [];
  for (let at = lane * 16; at < words.length; at++) seen |= words[at];
  for (let at = words.length * 4; at < length; at++) seen |= bytes[at];
  return (seen & 0x80808080) === 0;
}

/** All bits of sixteen lanes of so many words: one step for each of their places, which is what a loop costs least in an interpreter. */
function seenIn(buffer, from, lane) {
  const words = (number) => new Int32Array(buffer, from + 4 * lane * number, lane);
  const [a, b, c, d, e, f, g, h] = [words(0), words(1), words(2), words(3), words(4), words(5), words(6), words(7)];
  const [i, j, k, l, m, n, o, p] = [words(8), words(9), words(10), words(11), words(12), words(13), words(14), words(15)];
  let seen = 0;
  for (let at = 0; at < lane; at++) {
    seen |= a[at] | b[at] | c[at] | d[at] | e[at] | f[at] | g[at] | h[at] | i[at] | j[at] | k[at] | l[at] | m[at] | n[at] | o[at] | p[at];
  }
  return seen;
}

/** Gives the UTF-8 of a text as a binary string. A lone half of a surrogate pair becomes U+FFFD, as everywhere on the web. */
export function utf8Of(text) {
  if (isAsciiText(text)) return text;
  return unescape(encodeURIComponent(text.toWellFormed()));
}

/** Gives the text whose UTF-8 a binary string is; throws a URIError where it is none. */
export function textOf(binary) {
  if (isAsciiText(binary)) return binary;
  if (binary.length <= CHUNK) return decodeURIComponent(escape(binary));
  const pieces = [];
  for (let at = 0; at < binary.length; ) {
    const end = beginOfCharacter(binary, at + CHUNK);
    pieces.push(decodeURIComponent(escape(binary.slice(at, end))));
    at = end;
  }
  return pieces.join('');
}

/** The place at or up to three bytes before `at` where a character of UTF-8 begins; `at` itself where there is none. */
function beginOfCharacter(binary, at) {
  if (at >= binary.length) return binary.length;
  for (let begin = at; begin > at - 4; begin--) {
    if ((binary.charCodeAt(begin) & 0xc0) !== 0x80) return begin;
  }
  return at;
}
