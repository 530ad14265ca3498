// States as they are declared, and the handles by which an operator has them.

import type { Type } from './types.js';

/** What every state may say of itself. */
export interface StateOptions<T> {
  /** The name that it is kept under, where it is not that of the field. */
  name?: string;
  /** The version of its type, from 1. */
  version?: number;
  /** Ways from older versions, by version: `{ 1: from(u64, (count) => ({ count, last: null })) }`. */
  migrate?: { [version: number]: Migration<T> };
}

/** A time to live: what is kept of a state goes by itself. */
export interface TtlOptions {
  /** How long, as a job file writes durations: `'500ms'`, `'30s'`, `'1h 30m'`, `'7d'`. */
  ttl?: string;
  /** By which time it counts; `'processing'` where it is not said. Say `'event'` where what is forgotten shows in what is emitted. */
  time?: 'event' | 'processing';
  /** Whether a read renews it as a write does; `'write'` where it is not said. */
  refresh?: 'read' | 'write';
}

/** How two values become one where windows do, as sessions need it: `earlier` is of the window that starts first. It follows from the two alone. */
export interface MergeOptions<T> {
  merge?: (earlier: T, later: T) => T;
}

/** What an update begins with where there is no value; the zero of the type where it is not said. */
export interface InitialOptions<T> {
  initial?: T;
}

declare const migrated: unique symbol;

/** A way from an older version of a state to the declared one. */
export interface Migration<New> {
  readonly [migrated]?: New;
}

/** The way from an older version, whose values were of `type`: of a list an item, of a map the value of an entry. */
export function from<Old, New>(type: Type<Old>, change: (old: Old) => New): Migration<New>;

declare const handle: unique symbol;

/** A declared state, whose handle is `Handle`. */
export interface StateDeclaration<Handle = unknown> {
  readonly kind: 'value' | 'list' | 'map' | 'broadcast';
  readonly [handle]?: Handle;
}

/** The handles of declared states. */
export type Handles<States> = { readonly [Name in keyof States]: States[Name] extends StateDeclaration<infer Handle> ? Handle : never };

/** One value for each key, which comes with the record. */
export function value<T>(type: Type<T>, options?: StateOptions<T> & TtlOptions & MergeOptions<T> & InitialOptions<T>): StateDeclaration<ValueState<T>>;
/** A list for each key. It stays with the host and is read piece by piece, so it may be large. */
export function list<T>(type: Type<T>, options?: StateOptions<T> & TtlOptions): StateDeclaration<ListState<T>>;
/** A map for each key. It stays with the host and is read piece by piece, so it may be large. */
export function map<K, V>(key: Type<K>, value: Type<V>, options?: StateOptions<V> & TtlOptions & MergeOptions<V>): StateDeclaration<MapState<K, V>>;
/** One map for all keys, the same in every subtask, which records of broadcast inputs fill. */
export function broadcast<K, V>(key: Type<K>, value: Type<V>, options?: StateOptions<V>): StateDeclaration<MapState<K, V>>;

/** The value of the record's key. What is handed out is the caller's: changing it changes no state before it is set. */
export interface ValueState<T> {
  /** The value; undefined where there is none. */
  get(): T | undefined;
  /** Replaces the value. */
  set(value: T): void;
  /** Removes the value. */
  clear(): void;
  /** Sets the value to what `change` makes of it, and gives that. Where there is none, it begins with `initial` or the zero of the type. */
  update(change: (value: T) => T): T;
}

/** The list of the record's key. */
export interface ListState<T> extends Iterable<T> {
  /** How many items there are. */
  readonly length: number;
  isEmpty(): boolean;
  /** The item at a place, from 0; undefined behind the end. */
  get(index: number | bigint): T | undefined;
  /** Adds items at the end. */
  append(...items: T[]): void;
  /** Removes the first items, one unless told, or all where there are fewer. */
  popFront(count?: number | bigint): void;
  /** Removes all items behind the first `length`. */
  truncate(length: number | bigint): void;
  /** Removes all items. */
  clear(): void;
}

/** A map: that of the record's key, or a broadcast one, which records of broadcast inputs alone may change. */
export interface MapState<K, V> extends Iterable<[K, V]> {
  /** The value of an entry; undefined where there is none. */
  get(key: K): V | undefined;
  contains(key: K): boolean;
  /** Sets the value of an entry. */
  put(key: K, value: V): void;
  /** Removes an entry, if there is one. */
  remove(key: K): void;
  /** Removes all entries. */
  clear(): void;
  isEmpty(): boolean;
  /** The entries, in the order of their encoded keys. */
  entries(): IterableIterator<[K, V]>;
  keys(): IterableIterator<K>;
  values(): IterableIterator<V>;
}
