//! Local times: which moment a date and a time of day are in a time zone. One that exists twice is the earlier moment, one that does not exist is none.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// Milliseconds since 1970, rounded down.
pub(super) fn moment(local: DateTime, zone: &TimeZone) -> Option<i64> {
    let offset = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => offset,
        AmbiguousOffset::Gap { .. } => return None,
    };
    offset.to_timestamp(local).ok().and_then(millis)
}

/// True where clocks were put forward over it.
pub(super) fn is_left_out(local: DateTime, zone: &TimeZone) -> bool {
    matches!(zone.to_ambiguous_timestamp(local).offset(), AmbiguousOffset::Gap { .. })
}

/// Milliseconds since 1970, rounded down.
pub(super) fn millis(timestamp: jiff::Timestamp) -> Option<i64> {
    i64::try_from(timestamp.as_nanosecond().div_euclid(1_000_000)).ok()
}
