// Flights in, keyed by aircraft: a running count and total of arrival delays out.
//
// A record's value is a CSV row whose header the source hands to `open`. For each row that knows its `tailnum` and `arr_delay` one JSON line is
// emitted: `{"tailnum":"N14228","flights":1,"total_delay":11}`. With the config `{"emit":"mean"}` every row gives a CSV line instead: the
// aircraft, its rows so far, and its mean delay in minutes (`N14228,1,11.00`).
//
// The state is kept as the operator in Rust keeps it, so that either goes on with what the other has.

import { CsvColumns, Failure, operator, raw, setting, value, variant } from 'weir-guest';
import { decodeTotals, encodeTotals, meanOf } from './totals.js';

/** How a value that is not known is written. */
const UNKNOWN = 'NA';

let columns;

export default operator({
  name: 'flight-delays',
  version: '0.1.0',
  config: { emit: setting(variant('Emit', { totals: null, mean: null }), 'totals') },
  states: { totals: value(raw) },

  open(_config, setup) {
    const header = setup.schema(0);
    if (header === null) throw new Failure('flight-delays needs the header of its rows: let a csv source feed it directly');
    columns = new CsvColumns(header, ['tailnum', 'arr_delay']);
  },

  process(record, ctx) {
    // Taken apart as an array it would cost ten times as much.
    const { 0: tailnum, 1: field } = columns.read(record);
    const delay = isKnown(field) ? minutes(field) : undefined;
    const isMean = ctx.config.emit === 'mean';
    if (!isMean && (delay === undefined || !isKnown(tailnum))) return;
    const totals = plus(decodeTotals(ctx.totals.get()), delay);
    ctx.totals.set(encodeTotals(totals));
    if (isMean) ctx.emit(`${tailnum},${totals.rows},${meanOf(totals)}`);
    else ctx.emit(`{"tailnum":${JSON.stringify(tailnum)},"flights":${totals.flights},"total_delay":${totals.totalDelay}}`);
  },
});

function isKnown(field) {
  return field !== '' && field !== UNKNOWN;
}

/** A delay in whole minutes. */
function minutes(field) {
  if (!/^-?\d{1,9}$/.test(field)) throw new Failure(`the arrival delay \`${field}\` is no number of minutes`);
  return Number(field);
}

/** The sums after one more row. */
function plus({ rows, flights, totalDelay }, delay) {
  return { rows: rows + 1n, flights: delay === undefined ? flights : flights + 1n, totalDelay: totalDelay + BigInt(delay ?? 0) };
}
