// Types of what is kept, and of configs.

declare const values: unique symbol;

/** A type whose values are `T`. Its `schema` is the description that every language shares. */
export interface Type<T> {
  readonly schema: string;
  readonly [values]?: T;
}

/** A type of any values. */
export type AnyType = Type<any>;

/** The values of a type: `type Seen = Infer<typeof Seen>`. */
export type Infer<T> = T extends Type<infer Value> ? Value : never;

export const bool: Type<boolean>;
export const u8: Type<number>;
export const u16: Type<number>;
export const u32: Type<number>;
export const i8: Type<number>;
export const i16: Type<number>;
export const i32: Type<number>;
/** A BigInt, of which all 64 bits are kept. */
export const u64: Type<bigint>;
/** A BigInt, of which all 64 bits are kept. */
export const i64: Type<bigint>;
/** A number of which single precision is kept. */
export const f32: Type<number>;
export const f64: Type<number>;
export const string: Type<string>;
export const bytes: Type<Uint8Array>;
/** null, and nothing else. */
export const unit: Type<null>;
/** The bytes of the author's own, of a state as a whole: `value(raw)`. */
export const raw: Type<Uint8Array>;
/** Any JSON, as it is: a type of configs, not of states. */
export const json: Type<any>;

/** A value or null. A field of a config that is an option may be left out. */
export function option<T>(type: Type<T>): Type<T | null>;
/** An array of values of one type. */
export function listOf<T>(type: Type<T>): Type<T[]>;
/** A `Map`. */
export function mapOf<K, V>(key: Type<K>, value: Type<V>): Type<Map<K, V>>;
/** An array of as many values as there are types. */
export function tuple<const Types extends readonly [AnyType, ...AnyType[]]>(
  ...types: Types
): Type<{ -readonly [Index in keyof Types]: Infer<Types[Index]> }>;

/** The values of a record: an object with these fields. */
export type RecordValue<Fields> = { [Field in keyof Fields]: Infer<Fields[Field]> };

/**
 * An object with these fields. The name is the author's name of the type, as it is shown. Fields that the type does not have are not kept.
 *
 * ```js
 * const Seen = record('Seen', { count: u64, last: option(string) });
 * ```
 */
export function record<Fields extends { [field: string]: AnyType }>(name: string, fields: Fields): Type<RecordValue<Fields>>;
export function record<Fields extends { [field: string]: AnyType }>(fields: Fields): Type<RecordValue<Fields>>;

/** The values of a variant: the name of a case without a value, or an object of one field. */
export type VariantValue<Cases> = {
  [Case in keyof Cases]: Cases[Case] extends AnyType ? { [Only in Case]: Infer<Cases[Case]> } : Case;
}[keyof Cases];

/**
 * One of several cases, of which null has no value.
 *
 * ```js
 * const Order = variant('Order', { pending: null, shipped: tuple(u32, string) });   // 'pending' or { shipped: [3, 'DHL'] }
 * ```
 */
export function variant<const Cases extends { [name: string]: AnyType | null }>(name: string, cases: Cases): Type<VariantValue<Cases>>;

/** A field of a config that may be left out: it is `byDefault` then. */
export function setting<T>(type: Type<T>, byDefault: T): Type<T>;
