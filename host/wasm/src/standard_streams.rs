//! What a guest writes to its standard error and output: nobody reads it, but for its beginning and its end where the call traps. The beginning says what
//! it was where the end is a long trace, and the end where the beginning is chatter.
//!
//! An exception in Python or JavaScript, or a panic in Go, says its name there and then executes `unreachable`. (TinyGo says it on the
//! standard output, so that speaks where the standard error is silent.)

use crate::fault::Said;
use crate::guest_text::{printable_end, printable_message};
use crate::host_state::HostState;
use wasmtime::component::Linker;

/// Bytes of a stream that are kept of the beginning of one call.
const HEAD: usize = 1_024;
/// Bytes of a stream that are kept of its end.
const TAIL: usize = 3_072;

/// The interface over which the adapter of preview 1 hands on what goes to the two (see `pack/null_wasi.wat`). Packing puts it there; no author
/// imports it.
pub(crate) const INTERFACE: &str = "weir:adapter/standard-streams@0.1.0";

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StandardStream {
    Output,
    Error,
}

/// The beginning and the end of what one call has written.
#[derive(Debug, Default)]
pub(crate) struct StandardStreams {
    output: Written,
    error: Written,
}

impl StandardStreams {
    /// Takes what the guest writes.
    pub(crate) fn write(&mut self, to: StandardStream, bytes: &[u8]) {
        match to {
            StandardStream::Output => self.output.write(bytes),
            StandardStream::Error => self.error.write(bytes),
        }
    }

    /// Another call begins.
    pub(crate) fn clear(&mut self) {
        self.output.clear();
        self.error.clear();
    }

    /// What an error says of them; nothing where nothing was written.
    pub(crate) fn said(&self) -> Option<Said> {
        let error = self.error.text().map(|text| Said { stream: "standard error", text });
        error.or_else(|| self.output.text().map(|text| Said { stream: "standard output", text }))
    }
}

/// The first and the last bytes of a stream.
#[derive(Debug, Default)]
struct Written {
    head: Vec<u8>,
    /// What is behind the head, or the end of that.
    tail: Vec<u8>,
}

impl Written {
    /// Forgets what is in the middle.
    fn write(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(first);
        // One byte more than is kept tells that there was more.
        let kept = TAIL + 1;
        self.tail.extend_from_slice(&rest[rest.len().saturating_sub(kept)..]);
        // Twice as much may wait, so that most writes move nothing.
        if self.tail.len() > 2 * kept {
            self.tail.drain(..self.tail.len() - kept);
        }
    }

    fn clear(&mut self) {
        self.head.clear();
        self.tail.clear();
    }

    fn text(&self) -> Option<String> {
        let text = if self.tail.len() > TAIL {
            printable_message(&String::from_utf8_lossy(&self.head), usize::MAX) + &printable_end(&self.tail, TAIL)
        } else {
            printable_end(&[&self.head[..], &self.tail].concat(), usize::MAX)
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

/// Defines [`INTERFACE`].
pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.instance(INTERFACE)?.func_wrap("write", |mut store, (descriptor, bytes): (u32, Vec<u8>)| {
        let to = if descriptor == 2 { StandardStream::Error } else { StandardStream::Output };
        store.data_mut().written.write(to, &bytes);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_of_what_was_written_are_kept_whatever_the_pieces() {
        let all: Vec<u8> = (0..30_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for piece in [1, 7, 1_023, 1_024, 1_025, 4_096, 8_193, 30_000] {
            let mut written = Written::default();
            all.chunks(piece).for_each(|bytes| written.write(bytes));
            let expect = format!("{}…{}", text(&all[..HEAD]), text(&all[all.len() - TAIL..]));
            assert_eq!(written.text(), Some(expect), "pieces of {piece}");
            assert!(written.tail.capacity() < 32_768);
        }
        for whole in [HEAD - 1, HEAD, HEAD + 1, HEAD + TAIL] {
            let mut written = Written::default();
            all[..whole].chunks(5).for_each(|bytes| written.write(bytes));
            assert_eq!(written.text(), Some(text(&all[..whole])));
        }
    }

    #[test]
    fn a_character_that_lies_across_is_whole() {
        let mut written = Written::default();
        written.write(&vec![b'x'; HEAD - 1]);
        written.write("ñ!".as_bytes());
        assert!(written.text().is_some_and(|text| text.ends_with("xñ!")));
    }

    #[test]
    fn little_is_kept_whole_and_the_output_speaks_where_the_error_is_silent() {
        let mut streams = StandardStreams::default();
        let said = |streams: &StandardStreams| streams.said().map(|said| said.to_string());
        assert_eq!(said(&streams), None);
        streams.write(StandardStream::Output, b"panic: no\n");
        streams.write(StandardStream::Output, b"goroutine 1");
        assert_eq!(said(&streams).as_deref(), Some("its standard output: panic: no\n    goroutine 1"));
        streams.write(StandardStream::Error, b"ValueError\n");
        assert_eq!(said(&streams).as_deref(), Some("its standard error: ValueError"));
        streams.clear();
        assert_eq!(said(&streams), None);
    }
}
