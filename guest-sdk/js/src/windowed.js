// What the calls of a windowed operator may not do.
//
// Invariant: `process` gives no output and `onWindow` changes no state. So wherever a batch is cut, the state and what fires of it are the same.

import { u32sOf } from './columns.js';

/** Fails where records in windows have outputs, naming the first that has. */
export function withoutOutput(operator, cursor, outputs) {
  const causes = outputs.map((output) => output.firstCause()).filter((cause) => cause !== undefined);
  if (causes.length === 0) return;
  cursor.record = Math.min(...causes);
  throw new Error(`${operator.name} is windowed and emits in \`process\`: it may change state there and nothing else, and emits in \`onWindow\``);
}

/** The effects of windows that fire; fails where they change state, naming a window whose state they would change. */
export function unchanged(operator, cursor, effects) {
  const [value] = effects.values;
  if (value !== undefined) throw changed(operator, cursor, value.state, [value.cleared, value.set.keys]);
  const [list] = effects.lists;
  if (list !== undefined) throw changed(operator, cursor, list.state, [list.cleared, list.popped.keys, list.truncated.keys, list.append.keys]);
  const [map] = effects.maps;
  if (map !== undefined) throw changed(operator, cursor, map.state, [map.cleared, map.removed.keys, map.put.keys]);
  return effects;
}

function changed(operator, cursor, state, keys) {
  cursor.record = keys.map((keys) => u32sOf(keys)[0]).find((key) => key !== undefined) ?? cursor.record;
  const { name } = operator.states[state];
  return new Error(`${operator.name} changes state \`${name}\` in \`onWindow\`, which may read it alone: \`process\` changes it`);
}
