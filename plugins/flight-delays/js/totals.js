// What is kept of an aircraft: three little-endian numbers of 64 bits, its rows, those with a known delay, and the sum of these in minutes.

/** The sums that the bytes are; those of no rows where there are none. */
export function decodeTotals(bytes) {
  if (bytes === undefined) return { rows: 0n, flights: 0n, totalDelay: 0n };
  const [rows, flights] = new BigUint64Array(bytes.buffer, bytes.byteOffset, 2);
  const [totalDelay] = new BigInt64Array(bytes.buffer, bytes.byteOffset + 16, 1);
  return { rows, flights, totalDelay };
}

/** The bytes of sums. */
export function encodeTotals({ rows, flights, totalDelay }) {
  return new Uint8Array(BigUint64Array.of(rows, flights, BigInt.asUintN(64, totalDelay)).buffer);
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
