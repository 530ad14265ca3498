// What an operator has beside each record, timer or window.

import type { Setup } from './index.js';
import type { Window } from './record.js';
import type { Handles } from './states.js';

/** A time: whole ms since the Unix epoch, or a `Date`. */
export type Time = number | bigint | Date;

/** What an emitted record has of its own; what is not said it has from the record, timer or window that it comes from. */
export interface Own {
  /** Its key; null: it has none. */
  key?: string | Uint8Array | null;
  /** Its event time; null: it has none. */
  time?: Time | null;
  /** Its headers, names and values, and no others. */
  headers?: Iterable<readonly [name: string | Uint8Array, value: string | Uint8Array]>;
}

/** The way to an output. */
export interface Output {
  /** Emits a value: a text as UTF-8, bytes as they are, null for a record without a value (the delete of a keyed stream). */
  emit(value: string | Uint8Array | null, own?: Own): void;
  /** Emits a value as JSON, in which a BigInt is a whole number with all its digits. */
  emitJson(value: unknown, own?: Own): void;
  /**
   * Lets the record go on as it came: key, value, time and headers. Nothing is copied for it. It stands before whatever else the record emits to
   * this output, and goes there once, however often this is called.
   */
  pass(): void;
}

/** The timers of the key that is being worked on. Key, name and time are a timer: setting it twice is setting it once. */
export interface TimersOf<Timers extends string> {
  /** Sets a timer. A key may have one at many times; one that is set to a time that has passed fires next. */
  set(name: Timers, time: Time): void;
  /** Deletes a timer that was set to this time; nothing where it was not. */
  delete(name: Timers, time: Time): void;
}

/** The ways out, the timers and the times; the states stand beside them by their names. */
export interface BaseContext<Outputs extends string, Timers extends string, Config> extends Output {
  /** The way to an output: `ctx.to('late').emit(…)`. */
  to(output: Outputs): Output;
  readonly timers: TimersOf<Timers>;
  /** The job file's `config`. */
  readonly config: Config;
  readonly setup: Setup;
  /**
   * Event time up to which the input is complete; null: there is none yet; Infinity: the input has ended. Batches may be cut anywhere: what is
   * emitted must not depend on it.
   */
  readonly watermark: number | null;
  /** The same for all records of a batch; `Date.now()` gives it as well. */
  readonly processingTime: number;
  readonly processingDate: Date;
  /**
   * The window of the record, or the one that fires. null: the operator is not windowed, the window has no bounds (a count, a global one), or they
   * are not known before it fires (a session).
   */
  readonly window: Window | null;
  /** Adds to the operator's counter of this name, 1 unless told: letters, digits, `_`, `-` and `.`, 64 at most. */
  metric(name: string, delta?: number | bigint): void;
}

/** State, timers and outputs, for the record, the timer or the window that is being worked on. */
export type Context<Outputs extends string = string, Timers extends string = string, States = {}, Config = any> = BaseContext<Outputs, Timers, Config> & Handles<States>;
