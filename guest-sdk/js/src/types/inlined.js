// Code for the values of a record's fields that nearly all have: small integers, short texts of ASCII, null, true and false. It stands in the function that is
// written for the record, since a call costs an interpreter more than what these need.
//
// What such code does not take, wrong or only rare, it leaves to the functions of the field's type: these say what is wrong.

import { CHARACTERS, head } from '../cbor/writer.js';

/** Up to how many characters a text is encoded and read here. */
const SHORT = 24;

/** What the code names. */
export const named = {
  /** The encodings of the integers up to 255, and these as BigInts. */
  encoded: CHARACTERS.map((_, number) => head(0, number)),
  bigs: CHARACTERS.map((_, number) => BigInt(number)),
  /** The heads of short texts. */
  heads: Array.from({ length: SHORT }, (_, length) => head(3, length)),
  notAscii: /[^\x00-\x7f]/,
  toNumber: Number,
  toBig: BigInt,
};

/** An expression that encodes the value in `v`; `slowly` is the one that does so whatever it is. It may use `n`. */
export function encoderOf({ inlined }, slowly) {
  switch (inlined?.kind) {
    case 'bigint':
      return `typeof v === 'bigint' && (n = toNumber(v)) >= 0 && n < 256 ? encoded[n] : ${slowly}`;
    case 'integer':
      return `typeof v === 'number' && v <= ${Math.min(inlined.max, 255)} && (n = encoded[v]) !== undefined ? n : ${slowly}`;
    case 'text':
      return `typeof v === 'string' && v.length < ${SHORT} && !notAscii.test(v) ? heads[v.length] + v : ${slowly}`;
    case 'bool':
      return `v === true ? '\\xf5' : v === false ? '\\xf4' : ${slowly}`;
    case 'option':
      return `v === null ? '\\xf6' : ${encoderOf(inlined.of, slowly)}`;
    default:
      return slowly;
  }
}

/**
 * Statements that read a value off `binary` from `at` on into `field`, and move `at` behind it; they return undefined where it is none of these. They may use
 * `c` and `n`, and may read behind the value, which the place where they come to tells. `undefined`: there is no such code for the type.
 */
export function readerOf({ inlined }, field) {
  switch (inlined?.kind) {
    case 'bigint':
      return `${readInteger(inlined)} ${field} = n >= 0 && n < 256 ? bigs[n] : toBig(n);`;
    case 'integer':
      return `${readInteger(inlined)} ${field} = n;`;
    case 'text':
      return `n = binary.charCodeAt(at) - 0x60; if (!(n >= 0 && n < ${SHORT})) return undefined; ${field} = binary.slice(at + 1, at += n + 1); if (notAscii.test(${field})) return undefined;`;
    case 'bool':
      return `c = binary.charCodeAt(at++); if (c === 0xf5) ${field} = true; else if (c === 0xf4) ${field} = false; else return undefined;`;
    case 'option': {
      const inner = readerOf(inlined.of, field);
      return inner === undefined ? undefined : `if (binary.charCodeAt(at) === 0xf6) { at++; ${field} = null; } else { ${inner} }`;
    }
    default:
      return undefined;
  }
}

/** Statements that read an integer of up to 16 bits and its sign into `n`. */
function readInteger({ min, max }) {
  const negative = min < 0 ? ' else if (c >= 32 && c < 56) n = 31 - c; else if (c === 56) { n = binary.charCodeAt(at++); if (!(n >= 24)) return undefined; n = -1 - n; }' : '';
  const wide = max > 255 ? ' else if (c === 25) { n = binary.charCodeAt(at) * 256 + binary.charCodeAt(at + 1); at += 2; if (!(n > 255)) return undefined; }' : '';
  const check = [min < 0 && min >= -256 ? `n < ${min}` : '', max < 0xffff ? `n > ${max}` : ''].filter((text) => text !== '').join(' || ');
  return `c = binary.charCodeAt(at++); if (c < 24) n = c; else if (c === 24) { n = binary.charCodeAt(at++); if (!(n >= 24)) return undefined; }${wide}${negative} else return undefined;${check === '' ? '' : ` if (${check}) return undefined;`}`;
}
