// What is kept of an aircraft: three little-endian numbers of 64 bits, its rows, those with a known delay, and the sum of these in minutes.

/** The sums that the bytes are; those of no rows where there are none. */
export function decodeTotals(bytes) {
  if (bytes === undefined) return { rows: 0n, flights: 0n, totalDelay: 0n };
  const numbers = new BigUint64Array(bytes.buffer, bytes.byteOffset, 3);
  return { rows: numbers[0], flights: numbers[1], totalDelay: BigInt.asIntN(64, numbers[2]) };
}

/** The bytes of sums. */
export function encodeTotals({ rows, flights, totalDelay }) {
  const numbers = new BigUint64Array(3);
  numbers[0] = rows;
  numbers[1] = flights;
  // What is below zero wraps around, as it does where it is read.
  numbers[2] = totalDelay;
  return new Uint8Array(numbers.buffer);
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
