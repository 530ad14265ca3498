// How records are encoded and read: by a function that is written for each, since a loop over fields costs an interpreter more than the fields do.
//
// What is written into these functions is names of fields, which `checkName` has passed, and numbers.

import { CborError, skip } from '../cbor/reader.js';
import { head } from '../cbor/writer.js';
import { misfit, stepped } from './type.js';

/** The functions `encode` and `read` of a record whose fields stand in the order of its declaration. */
export function compiled(fields, name, schema) {
  const byKey = fields.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  // The head of the map stands before its first key: so both are passed at once.
  const prefixes = byKey.map(({ key }, index) => (index === 0 ? head(5, byKey.length) + key : key));
  const parts = {
    prefixes: prefixes.length === 0 ? [head(5, 0)] : prefixes,
    names: byKey.map(({ field }) => field),
    encodes: byKey.map(({ type }) => type.encode),
    reads: byKey.map(({ type }) => type.read),
    skip,
    stepped,
    unfit: (value) => misfit(value, `an object with the fields of ${name}`),
    unread: () => new CborError(`the bytes are not those of ${schema}`),
  };
  return { encode: evaluated(encoder(parts.names), parts), read: evaluated(reader(parts.names, fields), parts) };
}

function encoder(names) {
  const pieces = names.map((name, index) => `(at = ${index}, prefix${index}) + encode${index}(value[${JSON.stringify(name)}])`);
  return `(value) => {
    if (typeof value !== 'object' || value === null) throw unfit(value);
    let at;
    try {
      return ${pieces.length === 0 ? 'prefix0' : pieces.join(' + ')};
    } catch (error) {
      throw stepped(error, '.' + names[at]);
    }
  }`;
}

function reader(names, fields) {
  const steps = names.map((_, index) => `if (!skip(prefix${index})) throw unread(); const field${index} = read${index}();`);
  const value = fields.map(({ field }) => `${JSON.stringify(field)}: field${names.indexOf(field)}`);
  return `() => { ${steps.length === 0 ? 'if (!skip(prefix0)) throw unread();' : steps.join(' ')} return { ${value.join(', ')} }; }`;
}

/** The function that `code` is, with what it names. */
function evaluated(code, { prefixes, encodes, reads, ...named }) {
  const each = (name, values) => values.map((value, index) => [`${name}${index}`, value]);
  const given = new Map([...Object.entries(named), ...each('prefix', prefixes), ...each('encode', encodes), ...each('read', reads)]);
  return new Function(...given.keys(), `'use strict'; return ${code};`)(...given.values());
}
