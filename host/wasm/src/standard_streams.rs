//! What a guest writes to its standard error and output: nobody reads it, but for its last part where the call traps.
//!
//! An exception in Python or JavaScript, or a panic in Go, says its name there and then executes `unreachable`. (TinyGo says it on the
//! standard output, so that speaks where the standard error is silent.)

use crate::guest_text::printable_end;
use crate::host_state::HostState;
use wasmtime::component::Linker;

/// Bytes of a stream that are kept of one call.
const KEPT: usize = 4_096;

/// The interface over which the adapter of preview 1 hands on what goes to the two (see `pack/null_wasi.wat`). Packing puts it there; no author
/// imports it.
pub(crate) const INTERFACE: &str = "weir:adapter/standard-streams@0.1.0";

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StandardStream {
    Output,
    Error,
}

/// The end of what one call has written.
#[derive(Debug, Default)]
pub(crate) struct StandardStreams {
    output: Tail,
    error: Tail,
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
        self.output.0.clear();
        self.error.0.clear();
    }

    /// What an error says of them; nothing where nothing was written.
    pub(crate) fn text(&self) -> Option<String> {
        let error = self.error.text().map(|text| format!("its standard error: {text}"));
        error.or_else(|| self.output.text().map(|text| format!("its standard output: {text}")))
    }
}

/// The last bytes of a stream.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

impl Tail {
    /// Forgets what is too long ago.
    fn write(&mut self, bytes: &[u8]) {
        // One byte more than is kept tells that there was more.
        let kept = KEPT + 1;
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(kept)..]);
        // Twice as much may wait, so that most writes move nothing.
        if self.0.len() > 2 * kept {
            self.0.drain(..self.0.len() - kept);
        }
    }

    fn text(&self) -> Option<String> {
        Some(printable_end(&self.0, KEPT)).filter(|text| !text.is_empty())
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
    fn the_end_of_what_was_written_is_kept_whatever_the_pieces() {
        let all: Vec<u8> = (0..30_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
        for piece in [1, 7, 4_095, 4_096, 4_097, 8_193, 30_000] {
            let mut tail = Tail::default();
            all.chunks(piece).for_each(|bytes| tail.write(bytes));
            let expect = format!("…{}", String::from_utf8_lossy(&all[all.len() - KEPT..]));
            assert_eq!(tail.text(), Some(expect), "pieces of {piece}");
            assert!(tail.0.capacity() < 32_768);
        }
    }

    #[test]
    fn little_is_kept_whole_and_the_output_speaks_where_the_error_is_silent() {
        let mut streams = StandardStreams::default();
        assert_eq!(streams.text(), None);
        streams.write(StandardStream::Output, b"panic: no\n");
        streams.write(StandardStream::Output, b"goroutine 1");
        assert_eq!(streams.text().as_deref(), Some("its standard output: panic: no\\ngoroutine 1"));
        streams.write(StandardStream::Error, b"ValueError\n");
        assert_eq!(streams.text().as_deref(), Some("its standard error: ValueError"));
        streams.clear();
        assert_eq!(streams.text(), None);
    }
}
