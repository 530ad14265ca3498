// What a type of state is: a description in the grammar of `wit/schema.md`, a way to bytes and back, and a way from the JSON of a config.
//
// Invariants: the same value always has the same bytes. What was encoded, decoded and encoded again is the same bytes. `encode` takes no value
// that `read` does not give back as it was.

/** How deep descriptions nest: no deeper than values. */
const DEPTH_MAX = 64;

/** A type of values. */
export class Type {
  /**
   * @param {object} parts
   * @param {string} parts.schema The description.
   * @param {(value: any) => string} parts.encode The encoding of a value, as a binary string; throws a `Misfit` where it is none of the type.
   * @param {() => any} parts.read Reads a value by the functions of `cbor/reader.js`.
   * @param {(json: any) => any} parts.fromJson The value that JSON says; throws a `Misfit` where it is none of the type.
   * @param {(() => any)=} parts.zero Makes the value that an update begins from where there is none; `undefined`: there is no such value.
   * @param {number=} parts.depth How deep values nest.
   * @param {((binary: string, start: number, end: number) => any)=} parts.readAt Reads a value that stands there, if it is one that this is fast for; else undefined.
   * @param {object=} parts.inlined What `inlined.js` knows of the type.
   * @param {boolean=} parts.isRaw Values are bytes of the author's own, and no CBOR.
   */
  constructor({ schema, encode, read, fromJson, zero, readAt, inlined, depth = 0, isRaw = false }) {
    if (depth > DEPTH_MAX) throw new TypeError(`the type ${schema.slice(0, 80)}… is nested deeper than ${DEPTH_MAX}`);
    Object.assign(this, { schema, encode, read, fromJson, zero, readAt, inlined, depth, isRaw });
  }
}

/** A value that is none of the type asked for; `path` leads to it from the outside. */
export class Misfit extends Error {
  constructor(message) {
    super(message);
    this.path = '';
    this.why = message;
  }

  get name() {
    return 'TypeError';
  }

  /** It is inside `step`. */
  inside(step) {
    this.path = step + this.path;
    this.message = `${this.path}: ${this.why}`;
  }
}

/** Runs `work`; a misfit in it is told as part of `step`, as `.count` or `[3]` is. */
export function inside(step, work) {
  try {
    return work();
  } catch (error) {
    throw stepped(error, step);
  }
}

/** A misfit that is told as part of `step`; any other error as it is. */
export function stepped(error, step) {
  if (error instanceof Misfit) error.inside(step);
  return error;
}

/** Says what a value is, for messages. */
export function told(value) {
  if (typeof value === 'bigint') return `the bigint ${value}n`;
  if (typeof value === 'string') return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return `an object (${value.constructor?.name ?? 'without a class'})`;
  return String(value);
}

/** Says that `value` is no `what`. */
export function misfit(value, what) {
  return new Misfit(`${told(value)} where ${what} is wanted`);
}

/** Checks that `type` is one, where the author gives it. */
export function checkType(type, where) {
  if (!(type instanceof Type)) throw new TypeError(`${where}: ${told(type)} where a type is wanted, as u64, string or record({ … })`);
  return type;
}
