// Types that are made of others: options, lists, maps, tuples, records, variants.

import { CborError, peekMajor, place, readArray, readMap, readText, since, skipNull } from '../cbor/reader.js';
import { head, map as encodedMap, text } from '../cbor/writer.js';
import { compiled } from './compiled.js';
import { checkType, inside, Misfit, misfit, stepped, Type } from './type.js';

/** A value or null. */
export function option(type) {
  checkType(type, 'option');
  if (type.schema === 'unit' || type.schema.startsWith('option<')) throw new TypeError(`option<${type.schema}> has two encodings of null`);
  return new Type({
    ...nested(type),
    schema: `option<${type.schema}>`,
    inlined: type.inlined && { kind: 'option', of: type },
    zero: () => null,
    encode: (value) => (value === null ? '\xf6' : type.encode(value)),
    read: () => (skipNull() ? null : type.read()),
    fromJson: (json) => (json === null ? null : type.fromJson(json)),
  });
}

/** An array of values of one type. */
export function listOf(type) {
  checkType(type, 'listOf');
  return new Type({
    ...nested(type),
    schema: `list<${type.schema}>`,
    zero: () => [],
    encode(value) {
      if (!Array.isArray(value)) throw misfit(value, 'an array');
      return head(4, value.length) + each(value, () => type);
    },
    read: () => Array.from({ length: readArray() }, () => type.read()),
    fromJson(json) {
      if (!Array.isArray(json)) throw misfit(json, 'an array');
      return json.map((item, index) => inside(`[${index}]`, () => type.fromJson(item)));
    },
  });
}

/** An array of as many values as there are types. */
export function tuple(...types) {
  if (types.length === 0) throw new TypeError('tuple: one type at least is wanted; of none it is unit');
  types.forEach((type, index) => checkType(type, `tuple[${index}]`));
  const fits = (value) => {
    if (!Array.isArray(value) || value.length !== types.length) throw misfit(value, `an array of ${types.length}`);
    return value;
  };
  return new Type({
    ...nested(...types),
    schema: `tuple<${types.map((type) => type.schema).join(',')}>`,
    zero: zeros(types, () => types.map((type) => type.zero())),
    encode: (value) => head(4, types.length) + each(fits(value), (index) => types[index]),
    read() {
      const count = readArray();
      if (count !== types.length) throw new CborError(`${count} items where ${types.length} were expected`);
      return types.map((type) => type.read());
    },
    fromJson: (json) => fits(json).map((item, index) => inside(`[${index}]`, () => types[index].fromJson(item))),
  });
}

/** A `Map`. */
export function mapOf(key, value) {
  checkType(key, 'mapOf');
  checkType(value, 'mapOf');
  const encodeEntry = ([k, v]) => [inside('.keys()', () => key.encode(k)), inside(`.get(${String(k)})`, () => value.encode(v))];
  return new Type({
    ...nested(key, value),
    schema: `map<${key.schema},${value.schema}>`,
    zero: () => new Map(),
    encode(map) {
      if (!(map instanceof Map)) throw misfit(map, 'a Map');
      return encodedMap(Array.from(map, encodeEntry), () => new Misfit('the map has two keys of one encoding'));
    },
    read() {
      const map = new Map();
      let previous;
      for (let count = readMap(); count > 0; count--) {
        const start = place();
        const k = key.read();
        const encoded = since(start);
        if (previous !== undefined && previous >= encoded) throw new CborError('the keys of a map are not in order, or one stands twice');
        previous = encoded;
        map.set(k, value.read());
      }
      return map;
    },
    fromJson(json) {
      if (key.schema !== 'string') throw misfit(json, 'what a config can say, which a map whose keys are no texts is not,');
      return new Map(Object.entries(objectOf(json)).map(([k, v]) => [k, inside(`.${k}`, () => value.fromJson(v))]));
    },
  });
}

/** An object with these fields. */
export function record(name, fields) {
  if (fields === undefined) [name, fields] = ['Record', name];
  checkName(name, 'record');
  const inOrder = Object.entries(fields).map(([field, type]) => {
    checkName(field, `record ${name}`);
    return { field, key: text(field), type: checkType(type, `record ${name}, field ${field}`) };
  });
  const types = inOrder.map(({ type }) => type);
  const schema = `${name}{${inOrder.map(({ field, type }) => `${field}:${type.schema}`).join(',')}}`;
  return new Type({
    ...nested(...types),
    schema,
    ...compiled(inOrder, name, schema),
    fromJson: (json) => fieldsFromJson(fields, json, name),
  });
}

/** An object of these fields as JSON says it; one that is optional or has a default may be left out. */
export function fieldsFromJson(fields, json, name) {
  const unknown = Object.keys(objectOf(json)).find((field) => !Object.hasOwn(fields, field));
  if (unknown !== undefined) {
    const known = Object.keys(fields).map((field) => `\`${field}\``).join(', ');
    throw new Misfit(`unknown field \`${unknown}\`: ${known === '' ? 'there are none' : `${name} has ${known}`}`);
  }
  return Object.fromEntries(Object.entries(fields).map(([field, type]) => {
    if (Object.hasOwn(json, field)) return [field, inside(`.${field}`, () => type.fromJson(json[field]))];
    if (type.missing !== undefined) return [field, type.missing()];
    if (type.schema.startsWith('option<')) return [field, null];
    throw new Misfit(`missing field \`${field}\``);
  }));
}

/** A field of a config that may be left out: it is `byDefault` then. */
export function setting(type, byDefault) {
  checkType(type, 'setting');
  return Object.assign(new Type(type), { missing: () => byDefault });
}

/** One of several cases: one without a value is its name, `'pending'`; one with a value an object of one field, `{ shipped: 3 }`. */
export function variant(name, cases) {
  checkName(name, 'variant');
  const entries = Object.entries(cases);
  if (entries.length === 0) throw new TypeError(`variant ${name}: one case at least is wanted`);
  for (const [each, type] of entries) {
    checkName(each, `variant ${name}`);
    if (type !== null) checkType(type, `variant ${name}, case ${each}`);
  }
  const typeOf = (each) => (Object.hasOwn(cases, each) ? cases[each] : undefined);
  const schema = `${name}[${entries.map(([each, type]) => (type === null ? each : `${each}(${type.schema})`)).join(',')}]`;
  const parted = (value) => {
    if (typeof value === 'string' && typeOf(value) === null) return [value];
    const fields = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    const type = fields.length === 1 ? typeOf(fields[0]) : undefined;
    if (!type) throw misfit(value, `a case of ${schema}`);
    return [fields[0], type, value[fields[0]]];
  };
  return new Type({
    ...nested(...entries.flatMap(([, type]) => type ?? [])),
    schema,
    encode(value) {
      const [each, type, inner] = parted(value);
      return type === undefined ? text(each) : '\xa1' + text(each) + inside(`.${each}`, () => type.encode(inner));
    },
    read() {
      const isText = peekMajor() === 3;
      if (!isText && readMap() !== 1) throw new CborError('a map of one entry was expected, from the name of a case to its value');
      const each = readText();
      const type = typeOf(each);
      if (type === undefined || (type === null) !== isText) throw new CborError(`\`${each}\` is no case of ${schema}`);
      return isText ? each : { [each]: type.read() };
    },
    fromJson(json) {
      const [each, type, inner] = parted(json);
      return type === undefined ? each : { [each]: inside(`.${each}`, () => type.fromJson(inner)) };
    },
  });
}

const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;

function checkName(name, where) {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new TypeError(`${where}: ${JSON.stringify(name)} is no name: a letter, then letters, digits, _ and -`);
  }
}

function objectOf(json) {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw misfit(json, 'an object');
  return json;
}

/** The encodings of items, each by its type. */
function each(items, typeAt) {
  let binary = '';
  let index = 0;
  try {
    for (; index < items.length; index++) binary += typeAt(index).encode(items[index]);
  } catch (error) {
    throw stepped(error, `[${index}]`);
  }
  return binary;
}

function nested(...types) {
  if (types.some((type) => type.schema === 'raw' || type.schema === 'json')) throw new TypeError('raw and json stand alone, and in no other type: bytes are `bytes` there');
  return { depth: 1 + Math.max(0, ...types.map((type) => type.depth)) };
}

function zeros(types, make) {
  return types.every((type) => type.zero !== undefined) ? make : undefined;
}
