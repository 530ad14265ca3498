/**
 * Operators for weir in JavaScript and TypeScript.
 *
 * An operator gets records and the state of their keys, and gives records and new state. It runs in a sandbox, sees no other key, and may be
 * replaced by a fresh instance between any two batches: what must survive is kept in its states. It is synchronous.
 */

import type { Context } from './context.js';
import type { FiredTimer, FiredWindow, Record } from './record.js';
import type { StateDeclaration } from './states.js';
import type { AnyType, Infer } from './types.js';

export * from './context.js';
export * from './record.js';
export * from './states.js';
export * from './types.js';

/** How the records of an input have to come: as the job file says, by key so that each brings its key's state, or to every subtask. */
export type Partitioning = 'any' | 'key' | 'broadcast';

/** The name and version of a record type. */
export interface RecordSchema {
  id: string;
  version: number;
}

/** An input: its name, or its name with what is said of it. A job that feeds it otherwise than `partitioning` says is refused. */
export type InputDeclaration<Name extends string = string> = Name | { name: Name; partitioning?: Partitioning; accepts?: RecordSchema[] };

/** An output: its name, or its name with a description of its records. The names `quarantine` and `late` are the host's. */
export type OutputDeclaration<Name extends string = string> = Name | { name: Name; schema?: RecordSchema };

/** A config as it is declared: a type for each field, or one type for the whole. */
export type ConfigDeclaration = AnyType | { [field: string]: AnyType };

/** A config as an operator has it. */
export type ConfigOf<C> = C extends AnyType ? Infer<C> : { [Field in keyof C]: C[Field] extends AnyType ? Infer<C[Field]> : never };

/** What an operator is told when it is opened. */
export interface Setup {
  /** Of each input what its source says of the records (csv: the header row), where a source feeds it directly; else null. */
  schemas: (string | null)[];
  /** The schema of an input, by its name or number. */
  schema(input: string | number): string | null;
  /** Which of the operator's parallel parts this is, from 0, of how many, and a number that is fixed for it: chance that a replay repeats. */
  subtask: { index: number; parallelism: number; seed: bigint };
}

/** What is declared of an operator. */
export interface Definition<
  Inputs extends string,
  Outputs extends string,
  Timers extends string,
  States extends { [name: string]: StateDeclaration },
  Config extends ConfigDeclaration,
> {
  /** The operator's name, as `weir plugin inspect` shows it. */
  name: string;
  /** Its version, of the author's. */
  version: string;
  /** What records come from, in the order in which the job file lists its `inputs`, or by the names that it gives in `to`; `in` where it is not said. */
  inputs?: readonly InputDeclaration<Inputs>[];
  /** Where records go; the first is the main output. `out` where it is not said. */
  outputs?: readonly OutputDeclaration<Outputs>[];
  /** Timers by their names, and the time that each goes by. */
  timers?: { [Name in Timers]: 'event' | 'processing' };
  /** The states by their names: `{ seen: value(u64) }` is `ctx.seen`. */
  states?: States;
  /** The fields of the job file's `config`. A field that is not declared is refused by name. */
  config?: Config;
  /**
   * The job file gives the operator windows, and it keeps its state by key and window: `process` changes the state of the record's window and
   * does nothing else, `onWindow` reads it and emits.
   */
  windowed?: boolean;
  /** Called once in an instance, before its first record. What it throws fails the job. */
  open?(config: ConfigOf<Config>, setup: Setup): void;
  /**
   * Works one record off. What it throws undoes the whole batch and names the record: the job fails or quarantines it, as its file says. The
   * record is valid until this returns.
   */
  process(record: Record<Inputs>, ctx: Context<Outputs, Timers, States, ConfigOf<Config>>): void;
  /**
   * Works one timer off that is due: its key's state is shown, and what is emitted has its key and the time that it was set to. It is gone when
   * this is called, and may be set anew.
   */
  onTimer?(timer: FiredTimer<Timers>, ctx: Context<Outputs, Timers, States, ConfigOf<Config>>): void;
  /** Works one window of a key off that fires: what is emitted has the key, and the window's last ms as its time. */
  onWindow?(firing: FiredWindow, ctx: Context<Outputs, Timers, States, ConfigOf<Config>>): void;
}

/** A declared operator: what a module has as its default export. */
export interface Operator {
  readonly name: string;
  readonly version: string;
}

/**
 * Declares an operator.
 *
 * ```js
 * export default operator({
 *   name: 'count-visits',
 *   version: '0.1.0',
 *   states: { visits: value(u64) },
 *   process(record, ctx) {
 *     const visits = ctx.visits.update((visits) => visits + 1n);
 *     ctx.emit(`${visits}`);
 *   },
 * });
 * ```
 */
export function operator<
  const Inputs extends string = 'in',
  const Outputs extends string = 'out',
  const Timers extends string = never,
  const States extends { [name: string]: StateDeclaration } = {},
  const Config extends ConfigDeclaration = {},
>(definition: Definition<Inputs, Outputs, Timers, States, Config>): Operator;

/** A failure of the record that is being worked on, told by its message alone. Everything else that is thrown is told with its stack. */
export class Failure extends Error {}

/** Lines of the job's log, at a level. `console.log`, `console.warn` and the others write the same. */
export const log: {
  debug(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
};

/**
 * Finds fields of CSV rows by their columns, under the header that `setup.schema` hands in:
 * `new CsvColumns(header, ['tailnum', 'arr_delay']).read(record)`.
 */
export class CsvColumns {
  constructor(header: string, names: readonly string[]);
  /** The wanted fields of a row, in the order of the names. A record costs less than its text, as all of a call are searched for quotes at once. */
  read(row: string | Record): string[];
}

/** Gives the UTF-8 of a text. */
export function encodeText(text: string): Uint8Array;
/** Gives the text whose UTF-8 the bytes are; fails where they are none. */
export function decodeText(bytes: Uint8Array): string;
/** Gives the text whose UTF-8 the bytes are, with U+FFFD in place of what is none. */
export function decodeTextLossy(bytes: Uint8Array): string;
