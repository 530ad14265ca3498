// Where each line of a bundle comes from, for the stacks of errors: read out of a source map (ECMA-426), of which one place a line is enough.

const DIGITS = new Map([...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((digit, value) => [digit, value]));

/** For each line its source and its line there, from 1; 0 for lines that `isOurs` says are the SDK's, or that come from nowhere. */
export function lineTable({ mappings, sources }, isOurs) {
  const ours = sources.map(isOurs);
  let [source, line] = [0, 0];
  const lines = mappings.split(';').map((segments) => {
    let found = 0;
    for (const segment of segments === '' ? [] : segments.split(',')) {
      const [, sourceStep, lineStep] = numbersOf(segment);
      if (sourceStep === undefined) continue;
      [source, line] = [source + sourceStep, line + lineStep];
      found ||= ours[source] ? 0 : [source, line + 1];
    }
    return found;
  });
  return { sources, lines };
}

/** The numbers of a segment, in base 64 with variable length. */
export function numbersOf(segment) {
  const numbers = [];
  let [value, shift] = [0, 0];
  for (const digit of segment) {
    const bits = DIGITS.get(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}
