//! Floats in the shortest of the three widths that keeps their value.

use super::CborError;

/// The encoding of every NaN: signs and payloads are not kept.
const NAN: [u8; 3] = [0xf9, 0x7e, 0x00];

/// Appends the shortest encoding of `value`.
pub(super) fn write_float(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(&NAN);
    }
    let single = value as f32;
    if f64::from(single).to_bits() != value.to_bits() {
        out.push(0xfb);
        return out.extend_from_slice(&value.to_bits().to_be_bytes());
    }
    match half_from(single) {
        Some(half) => {
            out.push(0xf9);
            out.extend_from_slice(&half.to_be_bytes());
        }
        None => {
            out.push(0xfa);
            out.extend_from_slice(&single.to_bits().to_be_bytes());
        }
    }
}

/// The float whose head had these low bits and this argument.
pub(super) fn read_float(info: u8, argument: u64) -> Result<f64, CborError> {
    let value = match info {
        25 => half_value(argument as u16),
        26 => f64::from(f32::from_bits(argument as u32)),
        _ => f64::from_bits(argument),
    };
    let mut shortest = Vec::with_capacity(9);
    write_float(&mut shortest, value);
    let mut given = vec![0xe0 | info];
    given.extend_from_slice(&argument.to_be_bytes()[8 - (1 << (info - 24))..]);
    if shortest != given {
        return Err(CborError::new(format_args!("the float {value} is not in its shortest form")));
    }
    Ok(value)
}

/// The half-precision bits of `value` where no bit of it is lost.
fn half_from(value: f32) -> Option<u16> {
    let bits = value.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let exponent = ((bits >> 23) & 0xff) as i32 - 127;
    let mantissa = bits & 0x7f_ffff;
    match exponent {
        128 if mantissa == 0 => Some(sign | 0x7c00),
        -127 if mantissa == 0 => Some(sign),
        -14..=15 if mantissa.trailing_zeros() >= 13 => Some(sign | (((exponent + 15) as u16) << 10) | (mantissa >> 13) as u16),
        // A subnormal half: the leading one becomes a bit of the mantissa, in units of 2^-24.
        -24..=-15 => {
            let significand = mantissa | 0x80_0000;
            let dropped = (-1 - exponent) as u32;
            (significand.trailing_zeros() >= dropped).then(|| sign | (significand >> dropped) as u16)
        }
        _ => None,
    }
}

/// The value of half-precision bits, as RFC 8949, appendix D, computes it.
fn half_value(bits: u16) -> f64 {
    let exponent = i32::from((bits >> 10) & 0x1f);
    let mantissa = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_its_own_shortest_encoding() {
        for bits in 0..=u16::MAX {
            let value = half_value(bits);
            let mut out = Vec::new();
            write_float(&mut out, value);
            if value.is_nan() {
                assert_eq!(out, NAN);
            } else {
                assert_eq!(out, [&[0xf9][..], &bits.to_be_bytes()].concat(), "{value}");
                assert_eq!(read_float(25, u64::from(bits)).map(f64::to_bits), Ok(value.to_bits()));
            }
        }
    }

    #[test]
    fn a_bit_below_the_half_subnormals_takes_a_single() {
        let mut out = Vec::new();
        write_float(&mut out, 2f64.powi(-25));
        assert_eq!(out[0], 0xfa);
    }
}
