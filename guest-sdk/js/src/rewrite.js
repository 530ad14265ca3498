// Calls that follow from values alone, without an instance: values of an older version, and pairs of values that become one.

import { Column } from './columns.js';
import { columnOf } from './column_writer.js';
import { Failure } from './failure.js';
import { Place } from './state/place.js';

/** Brings values of an older version of a state to the declared one. */
export function migrate(operator, state, version, values) {
  const { name, declaration } = stateAt(operator, state);
  const way = declaration.migrate[version];
  if (way === undefined) throw new Failure(`${operator.name} cannot migrate state \`${name}\` from version ${version}`);
  const place = new Place(undefined, undefined, state, name, null);
  const column = new Column(values);
  return rewritten(column.count, (index) => {
    const old = place.decodeBytes(way.type, column.item(index));
    return place.encode(declaration.valueType, way.change(old), 'encode, migrated,');
  });
}

/** Makes one value of each pair of values of a state, `earlier` being of the window that starts first. */
export function merge(operator, state, earlier, later) {
  const { name, declaration } = stateAt(operator, state);
  if (declaration.merge === undefined) throw new Failure(`${operator.name} has no way to make one value of two of state \`${name}\`: \`merge\` beside its type gives one`);
  const place = new Place(undefined, undefined, state, name, null);
  const type = declaration.valueType;
  const [first, second] = [new Column(earlier), new Column(later)];
  if (first.count !== second.count) throw new Failure(`merge state \`${name}\`: ${first.count} values and ${second.count} are no pairs`);
  return rewritten(first.count, (index) => {
    const both = declaration.merge(place.decodeBytes(type, first.item(index)), place.decodeBytes(type, second.item(index)));
    return place.encode(type, both, 'encode, merged,');
  });
}

function stateAt(operator, state) {
  const found = operator.states[state];
  if (found === undefined) throw new Failure(`${operator.name} has no state ${state}`);
  return found;
}

function rewritten(count, write) {
  return columnOf(Array.from({ length: count }, (_, index) => write(index)));
}
