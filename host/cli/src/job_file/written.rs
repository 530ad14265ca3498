//! Values as one would write them in a job file.

use std::time::Duration;

/// A duration: "1m 30s".
pub(crate) fn duration_text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A size in the largest unit that it is a multiple of: "64MiB".
pub(crate) fn size_text(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|&(_, shift)| bytes > 0 && bytes.trailing_zeros() >= shift);
    unit.map_or(format!("{bytes}B"), |(name, shift)| format!("{}{name}", bytes >> shift))
}

/// Reads a size.
pub(super) fn size(text: &str) -> Option<u64> {
    text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64())
}

/// Reads a duration.
pub(super) fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_as_they_would_be_written() {
        assert_eq!([64 << 20, 1 << 30, 1536 << 10, 1000, 0].map(size_text), ["64MiB", "1GiB", "1536KiB", "1000B", "0B"]);
    }
}
