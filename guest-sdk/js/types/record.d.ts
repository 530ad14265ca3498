// Records, timers and windows as an operator is given them. Times are ms since the Unix epoch.

/** One record. It is valid until `process` returns; its bytes are views, to be read alone. */
export interface Record<Inputs extends string = string> {
  /** The name of the input that it came from. */
  readonly input: Inputs;
  /** The value; null is absent (the delete of a keyed stream), which is not the empty value. */
  readonly value: Uint8Array | null;
  /** The value as text; fails where it is absent or not UTF-8. */
  text(): string;
  /** The value as JSON; fails where it is absent or none. A whole number beyond 2^53 is a `bigint` with all its digits, any other a `number`. */
  json<T = any>(reviver?: (this: any, key: string, value: any) => any): T;
  /** The key; null is absent, which is not the empty key. */
  readonly key: Uint8Array | null;
  /** The key as text; fails where it is not UTF-8. */
  keyText(): string | null;
  /** Event time; null: it has none. */
  readonly timestamp: number | null;
  /** Event time with all 64 bits. */
  readonly timestampBigInt: bigint | null;
  /** Event time as a `Date`. */
  readonly date: Date | null;
  /** Names and values of the headers, in order. A name may come again. */
  readonly headers: [name: Uint8Array, value: Uint8Array][];
  /** The value of the last header of this name; null: there is none. */
  header(name: string): Uint8Array | null;
  /** The same as text. */
  headerText(name: string): string | null;
}

/** A timer that is due. */
export interface FiredTimer<Timers extends string = string> {
  /** Which one it is. */
  readonly name: Timers;
  /** The key that it was set for. */
  readonly key: Uint8Array;
  keyText(): string;
  /** The time that it was set to: not the time that it is, which may be later. */
  readonly time: number;
  readonly timeBigInt: bigint;
  readonly date: Date;
}

/** The bounds of a window: from `start` on, up to and without `end`. */
export interface Window {
  readonly start: number;
  readonly end: number;
  readonly startBigInt: bigint;
  readonly endBigInt: bigint;
  readonly startDate: Date;
  readonly endDate: Date;
}

/** A window of a key that fires. */
export interface FiredWindow {
  readonly key: Uint8Array;
  keyText(): string;
  /** Its bounds; null for a count and for a global window, which have none. */
  readonly window: Window | null;
  /** Why it fires: it is complete; it goes on, and the job file wants to hear of it meanwhile; or records came late, in time for its `lateness`. */
  readonly reason: 'complete' | 'early' | 'correction';
  /** How often it has fired before: 0 the first time. */
  readonly revision: number;
  /** Windows that have fired and became part of this one, so that what was said of them holds no more. Sessions alone have any. */
  readonly replaces: Window[];
}
