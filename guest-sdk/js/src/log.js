// Lines of the job's log, at the level that they say. A line leaves at once: it survives the trap that follows it.

import { lineOf } from './sandbox/console.js';
import { sandbox } from './sandbox/sandbox.js';

const at = (level) => (...values) => sandbox.write(level, lineOf(values));

export const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
