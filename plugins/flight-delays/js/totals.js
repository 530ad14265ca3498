// What is kept of an aircraft: three little-endian numbers of 64 bits, its rows, those with a known delay, and the sum of these in minutes.

/** Three numbers and their bytes: a typed array for each record would cost more than all else that is done with it. */
const numbers = new BigUint64Array(3);
const inBytes = new Uint8Array(numbers.buffer);

/** The sums that the bytes are; those of no rows where there are none. */
export function decodeTotals(bytes) {
  if (bytes === undefined) return { rows: 0n, flights: 0n, totalDelay: 0n };
  if (bytes.length !== inBytes.length) throw new RangeError(`${bytes.length} bytes where ${inBytes.length} were expected`);
  inBytes.set(bytes);
  return { rows: numbers[0], flights: numbers[1], totalDelay: BigInt.asIntN(64, numbers[2]) };
}

/** The bytes of sums, until the next ones are asked for. */
export function encodeTotals({ rows, flights, totalDelay }) {
  numbers[0] = rows;
  numbers[1] = flights;
  // What is below zero wraps around, as it does where it is read.
  numbers[2] = totalDelay;
  return inBytes;
}

/** The mean delay with two decimals, halves rounded up; empty while no delay is known. */
export function meanOf({ flights, totalDelay }) {
  if (flights === 0n) return '';
  const hundredths = floored(totalDelay * 200n + flights, flights * 2n);
  const digits = String(hundredths < 0n ? -hundredths : hundredths).padStart(3, '0');
  return `${hundredths < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** The quotient, rounded down. */
function floored(dividend, divisor) {
  const quotient = dividend / divisor;
  return dividend % divisor < 0n ? quotient - 1n : quotient;
}
