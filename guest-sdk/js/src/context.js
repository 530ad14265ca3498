// What an operator is given beside each record, timer or window: its states by their names, its timers, and the ways out. There is one for an
// instance, and `Instance` fills it anew for each call.

import { Output } from './output.js';
import { Window } from './record.js';
import { watermarkOf } from './times.js';

/** State, timers and outputs, for the record, the timer or the window that is being worked on. */
export class Context {
  constructor(operator, cursor, timers, config, setup) {
    Object.assign(this, { timers, config, setup });
    this._operator = operator;
    this._cursor = cursor;
    this._call = undefined;
    this._batch = undefined;
    this._outputs = [];
    this._main = undefined;
    this._metrics = new Map();
  }

  emit(value, own) {
    const main = this._main;
    if (own !== undefined || main.explicit || typeof value !== 'string') return main.emit(value, own);
    // What `Output.emit` does with nearly every record, without the call.
    main.values.texts.push(value);
    main.cause.push(this._cursor.record);
  }

  emitJson(value, own) {
    this._main.emitJson(value, own);
  }

  pass() {
    this._main.pass();
  }

  to(name) {
    const output = this._outputs.find((output) => output.name === name);
    if (output === undefined) {
      throw new TypeError(`there is no output \`${name}\`: declare it in \`outputs\`, where ${this._outputs.map(({ name }) => `\`${name}\``).join(', ')} stand`);
    }
    return output;
  }

  get watermark() {
    return watermarkOf(this._call.watermark);
  }

  get processingTime() {
    return Number(this._call.processingTime);
  }

  get processingDate() {
    return new Date(this.processingTime);
  }

  get window() {
    const { windows, keyOf } = this._batch;
    return windows === undefined || keyOf === undefined ? null : Window.of(windows.at(keyOf[this._cursor.record]));
  }

  metric(name, delta = 1) {
    const sum = (this._metrics.get(name) ?? 0) + Number(delta);
    if (!Number.isSafeInteger(sum)) throw new TypeError(`metric ${name}: ${String(delta)} where a whole number is wanted`);
    this._metrics.set(name, sum);
  }

  /** A call begins. */
  _begin(call, batch) {
    this._call = call;
    this._batch = batch;
    this._outputs = this._operator.outputs.map(({ name }) => new Output(batch, this._cursor, name));
    this._main = this._outputs[0];
    this._metrics.clear();
  }

  /** The call ends: adds what was emitted and counted to the effects. */
  _finish(effects) {
    effects.outputs = this._outputs.map((output, number) => output.finish(number)).filter((output) => output !== undefined);
    effects.metrics = [...this._metrics].map(([name, delta]) => ({ name: String(name).toWellFormed(), delta }));
  }
}

/** The names that a state cannot have in code, since the context has them itself. */
export const CONTEXT_NAMES = new Set([...Object.getOwnPropertyNames(Context.prototype), 'timers', 'config', 'setup', '_operator', '_cursor', '_call', '_batch', '_outputs', '_main', '_metrics']);
