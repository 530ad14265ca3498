//! Takes CBOR items off bytes that nobody vouches for. Only the deterministic form (RFC 8949, section 4.2) is accepted: state is written in no other.

/// One item; what is inside an array or a map follows as items of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item<'a> {
    Unsigned(u64),
    /// -1 minus this.
    Negative(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// So many items follow.
    Array(u64),
    /// So many keys follow, each with its value.
    Map(u64),
    Bool(bool),
    Null,
    Float(f64),
}

impl Item<'_> {
    /// Its name in messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unsigned(_) | Self::Negative(_) => "an integer",
            Self::Bytes(_) => "bytes",
            Self::Text(_) => "a text",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Bool(_) => "a bool",
            Self::Null => "null",
            Self::Float(_) => "a float",
        }
    }
}

/// What is left of a value's bytes.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been taken yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes null where it is next.
    pub fn take_null(&mut self) -> bool {
        const NULL: u8 = 0xf6;
        let is_null = self.rest.first() == Some(&NULL);
        self.rest = &self.rest[usize::from(is_null)..];
        is_null
    }

    /// Takes the next item. An array or map of more items than there are bytes is refused.
    pub fn take(&mut self) -> Result<Item<'a>, String> {
        let first = self.bytes(1)?[0];
        let (major, info) = (first >> 5, first & 31);
        let argument = self.argument(first)?;
        if (24..=27).contains(&info) && major != SIMPLE && argument < smallest(info) {
            return Err(format!("the number {argument} is not in its shortest form"));
        }
        match major {
            0 => Ok(Item::Unsigned(argument)),
            1 => Ok(Item::Negative(argument)),
            2 => self.bytes(argument).map(Item::Bytes),
            3 => std::str::from_utf8(self.bytes(argument)?).map(Item::Text).map_err(|_| "a text is not UTF-8".into()),
            4 => self.count(argument, 1).map(Item::Array),
            5 => self.count(argument, 2).map(Item::Map),
            6 => Err("a tag is not used here".into()),
            _ => simple(first, argument),
        }
    }

    /// The number behind a head's first byte.
    fn argument(&mut self, first: u8) -> Result<u64, String> {
        match first & 31 {
            info @ 0..=23 => Ok(u64::from(info)),
            info @ 24..=27 => Ok(self.bytes(1 << (info - 24))?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))),
            28..=30 => Err(format!("the byte {first:#04x} begins no item")),
            _ => Err("an item of indefinite length is not deterministic".into()),
        }
    }

    fn bytes(&mut self, count: u64) -> Result<&'a [u8], String> {
        let split = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let (taken, rest) = split.ok_or_else(|| format!("{count} bytes are missing of which {} are there", self.rest.len()))?;
        self.rest = rest;
        Ok(taken)
    }

    fn count(&self, count: u64, smallest: u64) -> Result<u64, String> {
        if count > self.rest.len() as u64 / smallest {
            return Err(format!("{count} items are said to be in {} bytes", self.rest.len()));
        }
        Ok(count)
    }
}

/// The major type of simple values and floats.
const SIMPLE: u8 = 7;

/// The smallest argument for which this head is the shortest.
fn smallest(info: u8) -> u64 {
    match info {
        24 => 24,
        25 => 1 << 8,
        26 => 1 << 16,
        _ => 1 << 32,
    }
}

fn simple<'a>(first: u8, argument: u64) -> Result<Item<'a>, String> {
    let (value, is_shortest) = match first {
        0xf4 => return Ok(Item::Bool(false)),
        0xf5 => return Ok(Item::Bool(true)),
        0xf6 => return Ok(Item::Null),
        0xf9 => (half(argument as u16), argument == 0x7e00 || !half(argument as u16).is_nan()),
        0xfa => {
            let single = f32::from_bits(argument as u32);
            (f64::from(single), !single.is_nan() && !fits_half(single))
        }
        0xfb => {
            let double = f64::from_bits(argument);
            (double, !double.is_nan() && f64::from(double as f32) != double)
        }
        _ => return Err(format!("the simple value {argument} has no meaning here")),
    };
    if is_shortest { Ok(Item::Float(value)) } else { Err(format!("the float {value} is not in its shortest form")) }
}

/// The value of half-precision bits, as RFC 8949, appendix D, computes it.
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

/// True where half precision keeps the value.
fn fits_half(value: f32) -> bool {
    const SMALLEST: f32 = 5.960_464_5e-8; // 2^-24: every half is a multiple of it
    const LARGEST: f32 = 65_504.0;
    const SMALLEST_NORMAL: f32 = 6.103_515_6e-5; // 2^-14
    let magnitude = value.abs();
    // 23 bits of mantissa, of which a normal half keeps the first 10.
    let is_short = value.to_bits().trailing_zeros() >= 13;
    match magnitude {
        0.0 | f32::INFINITY => true,
        SMALLEST_NORMAL..=LARGEST => is_short,
        _ => magnitude < SMALLEST_NORMAL && (magnitude / SMALLEST).fract() == 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hex: &str, expect: Result<Item<'_>, &str>) {
        let bytes = super::super::parse_hex(hex).expect("hex");
        assert_eq!(Cursor::new(&bytes).take(), expect.map_err(str::to_owned), "{hex}");
    }

    /// The examples of RFC 8949, appendix A.
    #[test]
    fn items_are_as_in_the_rfc() {
        check("17", Ok(Item::Unsigned(23)));
        check("1818", Ok(Item::Unsigned(24)));
        check("1903e8", Ok(Item::Unsigned(1_000)));
        check("1a000f4240", Ok(Item::Unsigned(1_000_000)));
        check("1bffffffffffffffff", Ok(Item::Unsigned(u64::MAX)));
        check("3903e7", Ok(Item::Negative(999)));
        check("4401020304", Ok(Item::Bytes(&[1, 2, 3, 4])));
        check("62c3bc", Ok(Item::Text("ü")));
        check("80", Ok(Item::Array(0)));
        check("a0", Ok(Item::Map(0)));
        check("f5", Ok(Item::Bool(true)));
        check("f6", Ok(Item::Null));
    }

    #[test]
    fn floats_are_as_in_the_rfc() {
        check("f90000", Ok(Item::Float(0.0)));
        check("f93e00", Ok(Item::Float(1.5)));
        check("f97bff", Ok(Item::Float(65_504.0)));
        check("f90001", Ok(Item::Float(5.960_464_477_539_063e-8)));
        check("fa47c35000", Ok(Item::Float(100_000.0)));
        check("fb3ff199999999999a", Ok(Item::Float(1.1)));
        check("f9fc00", Ok(Item::Float(f64::NEG_INFINITY)));
    }

    #[test]
    fn every_half_is_shortest_as_a_half_and_no_wider() {
        for bits in 0..=u16::MAX {
            let value = half(bits);
            if value.is_nan() {
                continue;
            }
            let single = u64::from((value as f32).to_bits());
            assert_eq!(simple(0xf9, u64::from(bits)), Ok(Item::Float(value)));
            assert!(simple(0xfa, single).is_err() && simple(0xfb, value.to_bits()).is_err(), "{value} as a wider float");
            if value.is_infinite() {
                continue;
            }
            // One bit more than a half has.
            let more = f32::from_bits(single as u32 | 1);
            assert_eq!(simple(0xfa, u64::from(more.to_bits())), Ok(Item::Float(f64::from(more))), "{more}");
        }
    }

    #[test]
    fn what_is_not_deterministic_is_refused() {
        check("1817", Err("the number 23 is not in its shortest form"));
        check("190018", Err("the number 24 is not in its shortest form"));
        check("1b00000000ffffffff", Err("the number 4294967295 is not in its shortest form"));
        check("5f", Err("an item of indefinite length is not deterministic"));
        check("fa3fc00000", Err("the float 1.5 is not in its shortest form"));
        check("fb7ff8000000000000", Err("the float NaN is not in its shortest form"));
        check("f97e01", Err("the float NaN is not in its shortest form"));
        check("c0", Err("a tag is not used here"));
    }

    #[test]
    fn hostile_bytes_are_refused_by_what_is_wrong() {
        check("", Err("1 bytes are missing of which 0 are there"));
        check("19", Err("2 bytes are missing of which 0 are there"));
        check("1c", Err("the byte 0x1c begins no item"));
        check("7bffffffffffffffff", Err("18446744073709551615 bytes are missing of which 0 are there"));
        check("9bffffffffffffffff", Err("18446744073709551615 items are said to be in 0 bytes"));
        check("a200", Err("2 items are said to be in 1 bytes"));
        check("61ff", Err("a text is not UTF-8"));
        check("f7", Err("the simple value 23 has no meaning here"));
    }
}
