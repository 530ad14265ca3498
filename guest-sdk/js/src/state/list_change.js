// What a call did to one key's list, in the order in which the host applies it: cleared, popped, truncated, appended to.
//
// Whatever order the operator did it in, it comes to that: what is popped beyond the stored items comes off the front of those that the call
// appended, and what is truncated to fewer than the stored ones takes all of these.

/** What a call did to one key's list. */
export class ListChange {
  /** `askLength` asks the host how many items it has: who appends alone need not know. */
  constructor(key, askLength) {
    this.key = key;
    this.askLength = askLength;
    this.length = undefined;
    this.reset(false);
  }

  reset(cleared) {
    this.cleared = cleared;
    /** So many stored items are gone at the front. */
    this.popped = 0;
    /** Of those behind them only so many are left; `undefined`: all. */
    this.kept = undefined;
    /** Encoded items. */
    this.appended = [];
  }

  /** How many stored items are still there. */
  get stored() {
    if (this.cleared) return 0;
    this.length ??= this.askLength();
    const left = this.length - this.popped;
    return this.kept === undefined ? left : Math.min(this.kept, left);
  }

  clear() {
    this.reset(true);
  }

  popFront(count) {
    const ofStored = Math.min(count, this.stored);
    this.popped += ofStored;
    if (this.kept !== undefined) this.kept -= ofStored;
    if (count > ofStored) this.appended.splice(0, count - ofStored);
  }

  truncate(length) {
    const { stored } = this;
    if (length < stored) this.kept = length;
    this.appended.length = Math.min(this.appended.length, Math.max(length - stored, 0));
  }

  /** True where the host has to be told nothing. */
  get isNothing() {
    return !this.cleared && this.popped === 0 && this.kept === undefined && this.appended.length === 0;
  }
}
