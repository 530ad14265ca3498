package cbor

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// halfNaN is how every NaN is written: signs and payloads are not kept.
const halfNaN = 0x7e00

// appendFloat appends the shortest encoding of a float that keeps its value.
func appendFloat(b []byte, value float64) []byte {
	if value != value {
		return binary.BigEndian.AppendUint16(append(b, 0xf9), halfNaN)
	}
	single := float32(value)
	if math.Float64bits(float64(single)) != math.Float64bits(value) {
		return binary.BigEndian.AppendUint64(append(b, 0xfb), math.Float64bits(value))
	}
	if half, exact := halfBits(single); exact {
		return binary.BigEndian.AppendUint16(append(b, 0xf9), half)
	}
	return binary.BigEndian.AppendUint32(append(b, 0xfa), math.Float32bits(single))
}

// float reads a float, and refuses one that could be shorter.
func (r *reader) float() (float64, error) {
	h, err := r.head()
	if err != nil {
		return 0, err
	}
	var value float64
	switch {
	case h.major == simple && h.info == 25:
		value = halfValue(uint16(h.argument))
	case h.major == simple && h.info == 26:
		value = float64(math.Float32frombits(uint32(h.argument)))
	case h.major == simple && h.info == 27:
		value = math.Float64frombits(h.argument)
	default:
		return 0, fmt.Errorf("%v where a float was expected", h)
	}
	var room [9]byte
	shortest := reader{data: appendFloat(room[:0], value)}
	if again, err := shortest.head(); err != nil || again != h {
		return 0, fmt.Errorf("the float %v is not in its shortest form", value)
	}
	return value, nil
}

// halfBits returns the half-precision bits of a value, where none of it is lost.
func halfBits(value float32) (half uint16, exact bool) {
	all := math.Float32bits(value)
	sign := uint16(all>>16) & 0x8000
	exponent := int(all>>23&0xff) - 127
	mantissa := all & 0x7f_ffff
	switch {
	case exponent == 128 && mantissa == 0:
		return sign | 0x7c00, true
	case exponent == -127 && mantissa == 0:
		return sign, true
	case exponent >= -14 && exponent <= 15 && bits.TrailingZeros32(mantissa) >= 13:
		return sign | uint16(exponent+15)<<10 | uint16(mantissa>>13), true
	case exponent >= -24 && exponent <= -15:
		// A subnormal half: the leading one becomes a bit of the mantissa, in units of 2^-24.
		significand, dropped := mantissa|0x80_0000, -1-exponent
		return sign | uint16(significand>>dropped), bits.TrailingZeros32(significand) >= dropped
	}
	return 0, false
}

// halfValue returns the value of half-precision bits, as RFC 8949, appendix D, computes it.
func halfValue(half uint16) float64 {
	exponent, mantissa := int(half>>10&0x1f), float64(half&0x3ff)
	var magnitude float64
	switch {
	case exponent == 0:
		magnitude = math.Ldexp(mantissa, -24)
	case exponent != 31:
		magnitude = math.Ldexp(mantissa+1024, exponent-25)
	case mantissa == 0:
		magnitude = math.Inf(1)
	default:
		return math.NaN()
	}
	if half&0x8000 != 0 {
		return -magnitude
	}
	return magnitude
}
