//! What stands in front of the rows of a CSV file, or of any text: a byte order mark, and the header.

use super::blocks::Blocks;
use super::csv_rows::frame_multiline;
use super::rows::Frame;
use weir_engine::shown_text::printable;

/// The byte order mark that some programs put before UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The longest header. It is told to plugins and kept with every part of a file in every checkpoint.
pub(super) const HEADER_BYTES_MAX: usize = 1 << 20;
/// Bytes of a header, or of its columns, that an error shows.
const SHOWN_BYTES: usize = 200;

/// The header at the beginning of the window.
pub(super) enum Header {
    /// It is this row.
    Row(Frame),
    /// More has to come first.
    Incomplete,
    /// There is nothing.
    None,
}

/// Looks for the header at the beginning of the window; what is wrong where it is too long.
pub(super) fn find(blocks: &Blocks) -> Result<Header, String> {
    let too_long = || format!("it is longer than {HEADER_BYTES_MAX} bytes: {}", shown(&String::from_utf8_lossy(beginning(blocks.bytes()))));
    match frame_multiline(blocks.bytes(), blocks.is_ended()) {
        Some(frame) if frame.content > HEADER_BYTES_MAX => Err(too_long()),
        Some(frame) => Ok(Header::Row(frame)),
        None if blocks.is_ended() => Ok(Header::None),
        // One that fits may have CR LF behind it, or a mark that closes it.
        None if blocks.bytes().len() > HEADER_BYTES_MAX + 2 => Err(too_long()),
        None => Ok(Header::Incomplete),
    }
}

fn beginning(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(4 * SHOWN_BYTES)]
}

/// A header, or its columns, as an error shows it: its beginning, and nothing that a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    printable(text, SHOWN_BYTES)
}
