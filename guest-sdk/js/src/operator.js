// What an author declares of an operator, checked where it is declared, so that a mistake is told when the component is made.

import { CONTEXT_NAMES } from './context.js';
import { StateDeclaration } from './state/declaration.js';
import { told, Type } from './types/type.js';

const FIELDS = ['name', 'version', 'inputs', 'outputs', 'states', 'timers', 'windowed', 'config', 'open', 'process', 'onTimer', 'onWindow'];
const PARTITIONINGS = { any: 'any', key: 'by-key', 'by-key': 'by-key', broadcast: 'broadcast' };
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** A declared operator. */
export class Operator {
  constructor(definition) {
    checkFields(definition);
    const { name, version, windowed = false } = definition;
    Object.assign(this, { name, version, windowed, definition });
    this.inputs = (definition.inputs ?? ['in']).map(inputOf);
    this.outputs = (definition.outputs ?? ['out']).map(outputOf);
    this.timers = Object.entries(definition.timers ?? {}).map(([timer, domain]) => timerOf(timer, domain));
    this.states = Object.entries(definition.states ?? {}).map(([property, declaration]) => stateOf(property, declaration));
    this.config = definition.config ?? {};
    checkConfig(this.config);
    if (this.outputs.length === 0) throw new TypeError('outputs: one at least is wanted, the main one');
    checkTimesAndWindows(this);
    unique('inputs', this.inputs);
    unique('outputs', this.outputs);
    unique('states', this.states);
  }

  /** As it crosses the boundary. */
  describe() {
    return {
      name: this.name.toWellFormed(),
      version: this.version.toWellFormed(),
      inputs: this.inputs,
      outputs: this.outputs,
      states: this.states.map(({ name, declaration }) => declaration.describe(name)),
      timers: this.timers,
      windowed: this.windowed,
    };
  }
}

/** Declares an operator: what a module has as its default export. */
export function operator(definition) {
  return new Operator(definition);
}

function checkFields(definition) {
  if (typeof definition !== 'object' || definition === null) throw new TypeError(`operator: ${told(definition)} where an object is wanted, { name, version, process, … }`);
  const unknown = Object.keys(definition).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw new TypeError(`operator has no field \`${unknown}\`: there are ${FIELDS.join(', ')}`);
  for (const field of ['name', 'version']) {
    if (typeof definition[field] !== 'string' || definition[field] === '') throw new TypeError(`operator: ${field} is a text, and ${told(definition[field])} was given`);
  }
  if (typeof definition.process !== 'function') throw new TypeError('operator: process is wanted, a function of (record, ctx)');
  for (const field of ['open', 'onTimer', 'onWindow']) {
    if (definition[field] !== undefined && typeof definition[field] !== 'function') throw new TypeError(`operator: ${field} is a function`);
  }
}

function checkTimesAndWindows({ windowed, timers, states, definition }) {
  if (timers.length > 0 && definition.onTimer === undefined) throw new TypeError('operator declares timers and has no onTimer');
  if (timers.length === 0 && definition.onTimer !== undefined) throw new TypeError('operator has onTimer and declares no timers');
  if (windowed !== (definition.onWindow !== undefined)) throw new TypeError('an operator with `windowed: true` has onWindow, and no other has');
  if (windowed && timers.length > 0) throw new TypeError('a windowed operator has no timers: its windows fire');
  const living = states.find(({ declaration }) => declaration.ttl !== null);
  if (windowed && living !== undefined) {
    throw new TypeError(`a windowed operator's states have no time to live, as \`${living.name}\` has: they live as long as their window`);
  }
}

function inputOf(given) {
  const { name, accepts = [], partitioning = 'any' } = namedOf(given, 'inputs', ['name', 'partitioning', 'accepts']);
  if (!Object.hasOwn(PARTITIONINGS, partitioning)) throw new TypeError(`input ${name}: partitioning is 'any', 'key' or 'broadcast'`);
  return { name, accepts: accepts.map(recordSchema), partitioning: PARTITIONINGS[partitioning] };
}

function outputOf(given) {
  const { name, schema } = namedOf(given, 'outputs', ['name', 'schema']);
  if (name === 'quarantine' || name === 'late') throw new TypeError(`outputs: the name \`${name}\` is the host's`);
  return { name, schema: schema === undefined ? null : recordSchema(schema) };
}

/** What is said of an input or an output: a name, or an object of these fields. */
function namedOf(given, where, fields) {
  if (typeof given === 'string') return namedOf({ name: given }, where, fields);
  if (typeof given !== 'object' || given === null) throw new TypeError(`${where}: ${told(given)} where a name or an object of ${fields.join(', ')} is wanted`);
  checkName(given.name, where);
  const unknown = Object.keys(given).find((field) => !fields.includes(field));
  if (unknown !== undefined) throw new TypeError(`${where}, ${given.name}: there is no field \`${unknown}\`: there are ${fields.join(', ')}`);
  return given;
}

function recordSchema(given) {
  const { id, version } = given ?? {};
  if (typeof id !== 'string' || id === '' || !Number.isInteger(version) || version < 0 || version > 0xffffffff) {
    throw new TypeError(`${told(given)} where a record schema is wanted, as { id: 'flight', version: 1 }`);
  }
  return { id: id.toWellFormed(), version };
}

function timerOf(name, domain) {
  checkName(name, 'timers');
  if (domain !== 'event' && domain !== 'processing') throw new TypeError(`timer ${name}: its time is 'event' or 'processing', and ${told(domain)} was given`);
  return { name, domain };
}

function stateOf(property, declaration) {
  if (!(declaration instanceof StateDeclaration)) throw new TypeError(`state ${property}: ${told(declaration)} where value(…), list(…), map(…) or broadcast(…) is wanted`);
  if (CONTEXT_NAMES.has(property)) {
    throw new TypeError(`state ${property}: the context has \`${property}\` itself; call the state otherwise here, and say { name: '${property}' } beside its type to keep the name`);
  }
  const name = declaration.named ?? property;
  checkName(name, 'states');
  return { property, name, declaration };
}

function checkConfig(config) {
  if (config instanceof Type) return;
  for (const [field, type] of Object.entries(config)) {
    if (!(type instanceof Type)) throw new TypeError(`config, field ${field}: ${told(type)} where a type is wanted, as string or setting(u32, 10)`);
  }
}

function checkName(name, where) {
  if (typeof name !== 'string' || !NAME.test(name)) throw new TypeError(`${where}: ${told(name)} is no name: 1 to 64 of the characters A-Z a-z 0-9 _ -`);
}

function unique(where, named) {
  named.forEach(({ name }, index) => {
    if (named.findIndex((other) => other.name === name) < index) throw new TypeError(`${where}: \`${name}\` stands twice`);
  });
}
