// States as an author declares them: `states: { seen: value(u64), … }`.

import { durationMs } from '../types/duration.js';
import { checkType, told, Type } from '../types/type.js';

/** What is declared of a state. */
export class StateDeclaration {
  constructor(kind, types, options) {
    const where = `${kind}(…)`;
    types.forEach((type) => checkType(type, where));
    if (types.some((type) => type.schema === 'json')) throw new TypeError(`${where}: json is a type of configs, and no state has it`);
    checkOptions(options, where, OPTIONS[kind]);
    Object.assign(this, { kind, types, version: versionOf(options, where), ttl: ttlOf(options, where), merge: options.merge, migrate: options.migrate ?? {} });
    this.named = options.name;
    this.initial = options.initial;
  }

  /** The description of what is kept; a map of raw keys or values is raw as a whole. */
  get schema() {
    const [first, second] = this.types.map((type) => type.schema);
    if (second === undefined) return first;
    return first === 'raw' || second === 'raw' ? 'raw' : `map<${first},${second}>`;
  }

  /** The type of one value, as it merges and is migrated: of a list an item, of a map the value of an entry. */
  get valueType() {
    return this.types.at(-1);
  }

  /** As it crosses the boundary. */
  describe(name) {
    const { kind, schema, version, ttl } = this;
    return { name, kind, schema, version, ttl, merges: this.merge !== undefined };
  }
}

const COMMON = ['name', 'version', 'migrate'];
const TTL = ['ttl', 'time', 'refresh'];
const OPTIONS = {
  value: [...COMMON, ...TTL, 'merge', 'initial'],
  list: [...COMMON, ...TTL],
  map: [...COMMON, ...TTL, 'merge'],
  broadcast: COMMON,
};

/** One value for each key. */
export function value(type, options = {}) {
  return new StateDeclaration('value', [type], options);
}

/** A list for each key, which stays with the host. */
export function list(type, options = {}) {
  return new StateDeclaration('list', [type], options);
}

/** A map for each key, which stays with the host. */
export function map(key, type, options = {}) {
  return new StateDeclaration('map', [key, type], options);
}

/** A map of the whole subtask, filled by broadcast records. */
export function broadcast(key, type, options = {}) {
  return new StateDeclaration('broadcast', [key, type], options);
}

/** The way from an older version of a state, whose values were of `type`. */
export function from(type, change) {
  checkType(type, 'from');
  if (typeof change !== 'function') throw new TypeError(`from: ${told(change)} where a function from the old value to the new one is wanted`);
  return { type, change };
}

function checkOptions(options, where, known) {
  const unknown = Object.keys(options).find((option) => !known.includes(option));
  if (unknown !== undefined) throw new TypeError(`${where} has no option \`${unknown}\`: there are ${known.join(', ')}`);
  if (options.merge !== undefined && typeof options.merge !== 'function') throw new TypeError(`${where}: merge is a function of two values`);
  for (const [version, way] of Object.entries(options.migrate ?? {})) {
    if (!/^\d+$/.test(version) || !(way?.type instanceof Type)) throw new TypeError(`${where}: migrate is { VERSION: from(TYPE, function), … }`);
  }
}

function versionOf({ version = 1 }, where) {
  if (!Number.isInteger(version) || version < 1 || version > 0xffffffff) throw new TypeError(`${where}: ${told(version)} where a version is wanted, from 1`);
  return version;
}

function ttlOf(options, where) {
  const { ttl, time = 'processing', refresh = 'write' } = options;
  if (ttl === undefined) {
    if ('time' in options || 'refresh' in options) throw new TypeError(`${where}: time and refresh say more of a ttl, and there is none`);
    return null;
  }
  const ms = durationMs(ttl);
  if (!ms) throw new TypeError(`${where}: ${told(ttl)} is no time to live: write one as a job file does, like "500ms", "30s", "1h 30m" or "7d"`);
  if (!['event', 'processing'].includes(time)) throw new TypeError(`${where}: time is "event" or "processing"`);
  if (!['read', 'write'].includes(refresh)) throw new TypeError(`${where}: refresh is "read" or "write"`);
  return { ms, domain: time, refreshOnRead: refresh === 'read' };
}
