// Finds fields of CSV rows (RFC 4180) by their columns, for operators behind a csv source, which hands them rows as values and the header as the
// schema of their input.

import { Failure } from './failure.js';

const QUOTE = 34;

/** The columns that are wanted of each row. */
export class CsvColumns {
  /** @param {string} header The header row. @param {string[]} names The names of the columns that are wanted. */
  constructor(header, names) {
    const fields = fieldsOf(header, Infinity);
    this.places = names.map((name) => {
      const places = fields.flatMap((field, place) => (field === name ? [place] : []));
      if (places.length !== 1) throw new Failure(`the header has ${places.length > 1 ? 'more than one' : 'no'} column \`${name}\`: ${fields.join(',')}`);
      return places[0];
    });
    names.forEach((name, index) => {
      if (names.indexOf(name) < index) throw new Failure(`the column \`${name}\` is asked for twice`);
    });
    this.last = Math.max(-1, ...this.places);
  }

  /** The wanted fields of a row, in the order of the names: of a text, or of a record's. */
  read(row) {
    const { places, last } = this;
    let fields;
    if (typeof row === 'string') fields = row.includes('"') ? fieldsOf(row, last) : row.split(',', last + 1);
    // All records of a call are searched for a quote at once.
    else fields = row.hasByte(QUOTE) ? fieldsOf(row.text(), last) : row.text().split(',', last + 1);
    if (fields.length <= last) throw new Failure(`the row has ${fields.length} fields, and field ${this.firstMissing(fields.length) + 1} is wanted`);
    const { length } = places;
    // What is asked for as a rule is said in one step.
    if (length === 1) return [fields[places[0]]];
    if (length === 2) return [fields[places[0]], fields[places[1]]];
    if (length === 3) return [fields[places[0]], fields[places[1]], fields[places[2]]];
    const wanted = [];
    for (let index = 0; index < length; index++) wanted.push(fields[places[index]]);
    return wanted;
  }

  firstMissing(count) {
    return Math.min(...this.places.filter((place) => place >= count));
  }
}

/** The fields of a row up to the place `last`. */
function fieldsOf(row, last) {
  const fields = [];
  for (let at = 0; ; ) {
    const [field, end] = row[at] === '"' ? quotedField(row, at + 1) : plainField(row, at);
    fields.push(field);
    if (end >= row.length || fields.length > last) return fields;
    if (row[end] !== ',') throw new Failure(`\`${row[end]}\` follows a quoted field where a comma should`);
    at = end + 1;
  }
}

function plainField(row, at) {
  const comma = row.indexOf(',', at);
  const end = comma < 0 ? row.length : comma;
  return [row.slice(at, end), end];
}

/** A field behind its opening quote, with doubled quotes made single, and where its closing quote ends. */
function quotedField(row, at) {
  const parts = [];
  for (;;) {
    const quote = row.indexOf('"', at);
    if (quote < 0) throw new Failure('a quoted field does not end');
    parts.push(row.slice(at, quote));
    if (row[quote + 1] !== '"') return [parts.join('"'), quote + 1];
    at = quote + 2;
  }
}
