//! Numbers of seconds, or of parts of a second, since 1970: digits, as a text or as a JSON number, which may have a fraction and an exponent.
//!
//! Invariant: it is calculated in whole numbers, so nothing is lost on the way, and rounded down once.

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    pub(super) const ALL: [Self; 4] = [Self::Seconds, Self::Milliseconds, Self::Microseconds, Self::Nanoseconds];

    /// As `format` says it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Seconds => "unix-s",
            Self::Milliseconds => "unix-ms",
            Self::Microseconds => "unix-us",
            Self::Nanoseconds => "unix-ns",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }

    #[inline]
    fn millis(self, number: i64) -> Option<i64> {
        match self {
            Self::Seconds => number.checked_mul(1_000),
            Self::Milliseconds => Some(number),
            Self::Microseconds => Some(number.div_euclid(1_000)),
            Self::Nanoseconds => Some(number.div_euclid(1_000_000)),
        }
    }

    /// A millisecond is ten to the power of this many.
    fn power(self) -> i32 {
        match self {
            Self::Seconds => -3,
            Self::Milliseconds => 0,
            Self::Microseconds => 3,
            Self::Nanoseconds => 6,
        }
    }
}

/// Milliseconds, rounded down; `None` where it is no number, or none that fits.
#[inline]
pub(super) fn parse(text: &[u8], unit: Unit) -> Option<i64> {
    match whole(text) {
        Some(number) => unit.millis(number),
        None => parse_decimal(text, unit),
    }
}

/// Up to eighteen digits, which always fit, behind a sign.
#[inline]
fn whole(text: &[u8]) -> Option<i64> {
    let (digits, negative) = match text {
        [b'-', digits @ ..] => (digits, true),
        [b'+', digits @ ..] => (digits, false),
        digits => (digits, false),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(if negative { -number } else { number })
}

/// Significant digits of a number: more than any clock has.
const DIGITS_MAX: usize = 30;

/// All else that is a number.
#[cold]
fn parse_decimal(text: &[u8], unit: Unit) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let negative = number.starts_with('-');
    let number = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || number.ends_with('.') || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    let amount = digits.parse::<i128>().ok().filter(|_| digits.len() <= DIGITS_MAX)?;
    let amount = if negative { -amount } else { amount };
    // The amount of ten to this power milliseconds.
    let power = i32::from(exponent) - i32::try_from(fraction.len()).ok()? - unit.power();
    let millis = match u32::try_from(power) {
        Ok(power) => amount.checked_mul(10_i128.checked_pow(power)?)?,
        Err(_) => match 10_i128.checked_pow(power.unsigned_abs()) {
            Some(parts) => amount.div_euclid(parts),
            None => amount.signum().min(0), // less than a part of the last millisecond
        },
    };
    i64::try_from(millis).ok()
}
