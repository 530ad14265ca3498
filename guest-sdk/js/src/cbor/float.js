// Floats in the shortest of the three widths that keeps their value; every NaN is `f97e00`.

const view = new DataView(new ArrayBuffer(8));

/** The encoding of every NaN: signs and payloads are not kept. */
const NAN = '\xf9\x7e\x00';

/** The shortest encoding of a float, as a binary string. */
export function encodeFloat(value) {
  if (value !== value) return NAN;
  const half = halfOf(value);
  if (half !== undefined) return '\xf9' + String.fromCharCode(half >> 8, half & 0xff);
  if (Math.fround(value) === value) {
    view.setFloat32(0, value);
    return '\xfa' + written(4);
  }
  view.setFloat64(0, value);
  return '\xfb' + written(8);
}

/** The float that `binary`, head and all, encodes; throws a `Fault` where that is not its shortest form. */
export function readFloat(binary, Fault) {
  for (let index = 1; index < binary.length; index++) view.setUint8(index - 1, binary.charCodeAt(index));
  const value = binary.length === 3 ? halfValue(view.getUint16(0)) : binary.length === 5 ? view.getFloat32(0) : view.getFloat64(0);
  if (encodeFloat(value) !== binary) throw new Fault(`the float ${value} is not in its shortest form`);
  return value;
}

function written(bytes) {
  let binary = '';
  for (let index = 0; index < bytes; index++) binary += String.fromCharCode(view.getUint8(index));
  return binary;
}

/** The bits of `value` in half precision, where nothing of it is lost. */
function halfOf(value) {
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === 0) return sign;
  if (magnitude === Infinity) return sign | 0x7c00;
  if (magnitude < 2 ** -14) {
    const units = magnitude * 2 ** 24;
    return Number.isInteger(units) ? sign | units : undefined;
  }
  if (magnitude > 65504) return undefined;
  let exponent = Math.floor(Math.log2(magnitude));
  if (2 ** exponent > magnitude) exponent--;
  if (2 ** (exponent + 1) <= magnitude) exponent++;
  const units = (magnitude / 2 ** exponent - 1) * 1024;
  return Number.isInteger(units) ? sign | ((exponent + 15) << 10) | units : undefined;
}

/** The value of half-precision bits, as RFC 8949, appendix D, computes it. */
function halfValue(bits) {
  const [exponent, mantissa] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  const magnitude = exponent === 0 ? mantissa * 2 ** -24 : exponent < 31 ? (mantissa + 1024) * 2 ** (exponent - 25) : mantissa === 0 ? Infinity : NaN;
  return bits & 0x8000 ? -magnitude : magnitude;
}
