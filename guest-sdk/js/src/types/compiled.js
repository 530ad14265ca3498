// How records are encoded and read: by a function that is written for each, since a loop over fields costs an interpreter more than the fields do.
//
// What is written into these functions is names of fields, which `checkName` has passed, and numbers.

import { CborError, skip } from '../cbor/reader.js';
import { head } from '../cbor/writer.js';
import { encoderOf, named, readerOf } from './inlined.js';
import { misfit, stepped } from './type.js';

/** The functions `encode`, `read`, `readAt` and `zero` of a record whose fields stand in the order of its declaration. */
export function compiled(fields, name, schema) {
  const byKey = fields.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  // The head of the map stands before its first key: so both are passed at once.
  const prefixes = byKey.map(({ key }, index) => (index === 0 ? head(5, byKey.length) + key : key));
  const parts = {
    ...named,
    prefixes: prefixes.length === 0 ? [head(5, 0)] : prefixes,
    names: byKey.map(({ field }) => field),
    encodes: byKey.map(({ type }) => type.encode),
    reads: byKey.map(({ type }) => type.read),
    zeros: byKey.map(({ type }) => type.zero),
    skip,
    stepped,
    unfit: (value) => misfit(value, `an object with the fields of ${name}`),
    unread: () => new CborError(`the bytes are not those of ${schema}`),
  };
  const quickly = quickReader(byKey, parts.prefixes, fields);
  return {
    encode: evaluated(encoder(byKey), parts),
    read: evaluated(reader(parts.names, fields), parts),
    readAt: quickly === undefined ? undefined : evaluated(quickly, parts),
    zero: fields.every(({ type }) => type.zero !== undefined) ? evaluated(`() => (${objectOf(parts.names, fields, (place) => `zero${place}()`)})`, parts) : undefined,
  };
}

function encoder(byKey) {
  const steps = byKey.map(({ field, type }, index) => `at = ${index}; v = value[${JSON.stringify(field)}]; binary += prefix${index} + (${encoderOf(type, `encode${index}(v)`)});`);
  return `(value) => {
    if (typeof value !== 'object' || value === null) throw unfit(value);
    let at, v, n, binary = ${byKey.length === 0 ? 'prefix0' : "''"};
    try {
      ${steps.join(' ')}
    } catch (error) {
      throw stepped(error, '.' + names[at]);
    }
    return binary;
  }`;
}

function reader(names, fields) {
  const steps = names.map((_, index) => `if (!skip(prefix${index})) throw unread(); const field${index} = read${index}();`);
  return `() => { ${steps.length === 0 ? 'if (!skip(prefix0)) throw unread();' : steps.join(' ')} return ${objectOf(names, fields)}; }`;
}

/** Reads what nearly all values are, and gives undefined for the others; nothing where not all fields are of types that this is known of. */
function quickReader(byKey, prefixes, fields) {
  const codes = byKey.map(({ type }, index) => readerOf(type, `field${index}`));
  if (codes.length === 0 || codes.includes(undefined)) return undefined;
  const steps = codes.map((code, index) => `if (!binary.startsWith(prefix${index}, at)) return undefined; at += ${prefixes[index].length}; let field${index}; ${code}`);
  return `(binary, at, end) => { let c, n; ${steps.join(' ')} return at === end ? ${objectOf(byKey.map(({ field }) => field), fields)} : undefined; }`;
}

/** The object of the fields, which were read where it is not said otherwise, in the order of the declaration. */
function objectOf(names, fields, valueAt = (place) => `field${place}`) {
  return `{ ${fields.map(({ field }) => `${JSON.stringify(field)}: ${valueAt(names.indexOf(field))}`).join(', ')} }`;
}

/** The function that `code` is, with what it names. */
function evaluated(code, { prefixes, encodes, reads, zeros, ...others }) {
  const each = (name, values) => values.map((value, index) => [`${name}${index}`, value]);
  const given = new Map([...Object.entries(others), ...each('prefix', prefixes), ...each('encode', encodes), ...each('read', reads), ...each('zero', zeros)]);
  return new Function(...given.keys(), `'use strict'; return ${code};`)(...given.values());
}
