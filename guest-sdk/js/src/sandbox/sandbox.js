// What the sandbox has in place of a clock, chance and an output: the processing time of the call, nothing, and the job's log.
//
// A module is loaded when its component is made, where there is a real clock and no host: lines that are written then wait for `open`.

/** Lines that wait from while the module is loaded, at most. */
const WAITING_MAX = 100;

/** The sandbox of this instance. */
export const sandbox = {
  /** Where lines go; `undefined`: this call may write none. */
  logging: undefined,
  /** The processing time of the call; `undefined`: the call has none. */
  now: undefined,
  /** False while the module is loaded. */
  isSealed: false,
  /** Level and text of lines that were written while the module was loaded. */
  waiting: [],

  /** The module is loaded: from here on there is no clock but the calls' and no chance. */
  seal() {
    this.isSealed = true;
  },

  /** A call begins. */
  enter(logging, now) {
    this.logging = logging;
    this.now = now;
    if (this.waiting.length === 0) return;
    for (const [level, message] of this.waiting.splice(0)) logging.log(level, message);
  },

  /** The call ends. */
  leave() {
    this.logging = this.now = undefined;
  },

  /** Writes one line; a call that may write none loses it. */
  write(level, line) {
    // The boundary takes no half of a surrogate pair: it traps.
    const message = line.toWellFormed();
    if (this.logging !== undefined) this.logging.log(level, message);
    else if (!this.isSealed && this.waiting.length < WAITING_MAX) this.waiting.push([level, message]);
  },
};

/** The time that `Date.now()` gives: the processing time of the call. */
export function now(real) {
  if (sandbox.now !== undefined) return sandbox.now;
  if (!sandbox.isSealed) return real();
  throw new Error('there is no clock here: `process`, `onTimer` and `onWindow` have ctx.processingTime');
}
