// What a component has before its author's modules are loaded: a console, a clock that is the call's, no chance, texts to bytes and back.
// The build imports it first.

import { sandboxConsole } from './console.js';
import { now, sandbox } from './sandbox.js';
import { TextDecoder, TextEncoder } from './text_codec.js';

const RealDate = globalThis.Date;
const realNow = () => RealDate.now();
const realRandom = Math.random;

/** `Date`, whose now is the processing time of the call. */
class SandboxDate extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(now(realNow));
    else super(...parts);
  }

  static now() {
    return now(realNow);
  }
}

Object.defineProperty(SandboxDate, 'name', { value: 'Date' });

Math.random = () => {
  if (!sandbox.isSealed) return realRandom();
  throw new Error('there is no chance here, since a replay has to come to the same: derive it from setup.subtask.seed and the record');
};

/** BigInts are whole numbers in JSON, with all their digits. */
Object.defineProperty(BigInt.prototype, 'toJSON', {
  configurable: true,
  writable: true,
  value() {
    return JSON.rawJSON(this.toString());
  },
});

const performance = { now: () => now(realNow), timeOrigin: 0, mark() {}, measure() {} };

Object.assign(globalThis, { console: sandboxConsole, Date: SandboxDate, performance, TextDecoder, TextEncoder });
globalThis.self ??= globalThis;
globalThis.global ??= globalThis;
