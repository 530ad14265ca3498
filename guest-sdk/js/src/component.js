// The component's exports: whatever an author's code throws is caught here and becomes the failure of a record, or the error of the call. What
// would leave this module as anything else traps, and its text would be lost.

import { messageOf } from './failure.js';
import { Instance } from './instance.js';
import { Operator } from './operator.js';
import * as rewrite from './rewrite.js';
import { sandbox } from './sandbox/sandbox.js';

/** The exports of an operator's component. `host` is what it imports: `collections` and `logging`. */
export function guestOf(operator, host) {
  if (!(operator instanceof Operator)) throw new TypeError('the module has no operator as its default export: `export default operator({ … })`');
  const description = operator.describe();
  let instance;
  sandbox.seal();

  /** Runs one call of records, timers or windows. */
  const call = (name, context, work) => {
    if (instance === undefined) throw { cause: null, message: `${name} was called before open` };
    instance.cursor.record = -1;
    sandbox.enter(host.logging, Number(context.processingTime));
    try {
      return work(instance);
    } catch (thrown) {
      const { record } = instance.cursor;
      throw { cause: record < 0 ? null : record, message: messageOf(thrown) };
    } finally {
      sandbox.leave();
    }
  };

  /** Runs a call that tells of its errors by a text. */
  const told = (work) => {
    try {
      return work();
    } catch (thrown) {
      throw messageOf(thrown);
    } finally {
      sandbox.leave();
    }
  };

  return {
    describe: () => description,
    open: (config, schemas, subtask) => told(() => {
      sandbox.enter(host.logging, undefined);
      instance = new Instance(operator, host, config, schemas, subtask);
    }),
    process: (context, batch) => call('process', context, (instance) => instance.process(context, batch)),
    onTimers: (context, fired) => call('on-timers', context, (instance) => instance.onTimers(context, fired)),
    onWindows: (context, fired) => call('on-windows', context, (instance) => instance.onWindows(context, fired)),
    merge: (state, earlier, later) => told(() => rewrite.merge(operator, state, earlier, later)),
    migrate: (state, version, values) => told(() => rewrite.migrate(operator, state, version, values)),
  };
}
