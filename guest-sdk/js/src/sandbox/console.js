// `console`, whose lines are those of the job's log.

import { sandbox } from './sandbox.js';
import { messageOf } from '../failure.js';

/** How deep objects are shown. */
const DEPTH_MAX = 4;
/** How many items of one are shown. */
const ITEMS_MAX = 100;

/** Shows a value as a line has it: texts as they are, everything else as JavaScript writes it. */
export function inspect(value, depth = 0) {
  switch (typeof value) {
    case 'string':
      return depth === 0 ? value : JSON.stringify(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return `[function ${value.name || 'without a name'}]`;
    case 'object':
      return value === null ? 'null' : inspectObject(value, depth);
    default:
      return String(value);
  }
}

function inspectObject(value, depth) {
  if (value instanceof Error) return depth === 0 ? messageOf(value) : `[${value.name}: ${value.message}]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  const name = value.constructor?.name ?? 'Object';
  if (depth >= DEPTH_MAX) return `[${name}]`;
  const deeper = (each) => inspect(each, depth + 1);
  if (Array.isArray(value)) return `[${shown(value, deeper)}]`;
  if (ArrayBuffer.isView(value)) return `${name}(${value.length ?? value.byteLength}) [${shown(value, deeper)}]`;
  if (value instanceof Map) return `Map(${value.size}) {${shown(value, ([key, each]) => `${deeper(key)} => ${deeper(each)}`)}}`;
  if (value instanceof Set) return `Set(${value.size}) {${shown(value, deeper)}}`;
  const fields = shown(Object.entries(value), ([key, each]) => `${key}: ${deeper(each)}`);
  return name === 'Object' ? `{${fields}}` : `${name} {${fields}}`;
}

function shown(items, show) {
  const texts = [];
  for (const item of typeof items[Symbol.iterator] === 'function' ? items : []) {
    if (texts.length === ITEMS_MAX) {
      texts.push('…');
      break;
    }
    texts.push(show(item));
  }
  return texts.length === 0 ? '' : ` ${texts.join(', ')} `;
}

/** What the arguments of one line come to. */
export function lineOf(values) {
  const [first, ...others] = values;
  if (typeof first !== 'string' || !first.includes('%')) return values.map((value) => inspect(value)).join(' ');
  const filled = first.replace(/%([sdifoOjc%])/g, (whole, kind) => {
    if (kind === '%') return '%';
    if (others.length === 0) return whole;
    const value = others.shift();
    return kind === 'c' ? '' : kind === 'd' || kind === 'i' || kind === 'f' ? String(value) : inspect(value, kind === 's' ? 0 : 1);
  });
  return [filled, ...others.map((value) => inspect(value))].join(' ');
}

const line = (level) => (...values) => sandbox.write(level, lineOf(values));
const counts = new Map();

/** The console that a component has. */
export const sandboxConsole = {
  log: line('info'),
  info: line('info'),
  debug: line('debug'),
  warn: line('warn'),
  error: line('error'),
  dir: (value) => sandbox.write('info', inspect(value)),
  trace: (...values) => sandbox.write('debug', messageOf(Object.assign(new Error(lineOf(values)), { name: 'Trace' }))),
  assert(condition, ...values) {
    if (!condition) sandbox.write('error', `Assertion failed: ${lineOf(values)}`);
  },
  table: (value) => sandbox.write('info', inspect(value)),
  group: line('info'),
  groupEnd() {},
  time() {},
  timeEnd() {},
  count(label = 'default') {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    sandbox.write('info', `${label}: ${counts.get(label)}`);
  },
};
