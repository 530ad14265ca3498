//! Compressed streams: gzip of any number of members, zstd of any number of frames, also with NUL bytes behind or between them, as block
//! devices and archives leave them. Anything else behind the compressed data is an error, as is a file that is not compressed at all.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, Read};

/// Bytes of a file that is not compressed that its error shows.
const EXCERPT_BYTES: usize = 24;

/// How it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// True where a member, or a frame, which may be one to be skipped, may begin with these bytes, as far as they are known.
    fn may_begin_with(self, bytes: &[u8]) -> bool {
        let agree = |signs: &[u8]| bytes.iter().zip(signs).all(|(byte, sign)| byte == sign);
        match self {
            Self::Gzip => agree(&[0x1f, 0x8b]),
            Self::Zstd => agree(&[0x28, 0xb5, 0x2f, 0xfd]) || (0x50..=0x5f).any(|first| agree(&[first, 0x2a, 0x4d, 0x18])),
        }
    }
}

/// What is compressed in `input`.
pub(super) struct Decompressed<R: BufRead> {
    compression: Compression,
    state: State<R>,
}

enum State<R: BufRead> {
    /// Nothing has been read yet.
    Start(R),
    Gzip(GzDecoder<R>),
    Zstd(zstd::stream::read::Decoder<'static, R>),
    /// Behind a member or frame.
    Between(R),
    /// Behind the last one, or behind an error.
    End,
}

impl<R: BufRead> Decompressed<R> {
    pub(super) fn new(compression: Compression, input: R) -> Self {
        Self { compression, state: State::Start(input) }
    }

    fn begin(&self, input: R) -> io::Result<State<R>> {
        match self.compression {
            Compression::Gzip => Ok(State::Gzip(GzDecoder::new(input))),
            Compression::Zstd => Ok(State::Zstd(zstd::stream::read::Decoder::with_buffer(input)?.single_frame())),
        }
    }

    /// The first member or frame of a file that has to have one.
    fn first(&self, mut input: R) -> io::Result<State<R>> {
        let name = self.compression.name();
        let beginning = input.fill_buf()?;
        match beginning.len() {
            1.. if self.compression.may_begin_with(beginning) => self.begin(input),
            1.. => {
                let excerpt = beginning[..beginning.len().min(EXCERPT_BYTES)].escape_ascii();
                let why = format!(
                    "its name says {name}, and it is not compressed with that: it begins with \"{excerpt}\"; plain files have another suffix"
                );
                Err(io::Error::new(io::ErrorKind::InvalidData, why))
            }
            0 => {
                let why = format!("its name says {name}, and it is empty: what is compressed with that has some bytes, even of nothing");
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, why))
            }
        }
    }

    /// What follows a member or frame.
    fn next(&self, mut input: R) -> io::Result<State<R>> {
        loop {
            let bytes = input.fill_buf()?;
            let nuls = bytes.iter().take_while(|&&byte| byte == 0).count();
            match &bytes[nuls..] {
                [] if nuls == 0 => return Ok(State::End),
                [] => input.consume(nuls),
                next if self.compression.may_begin_with(next) => {
                    input.consume(nuls);
                    return self.begin(input);
                }
                _ => {
                    let why = format!("bytes follow its compressed data that are no {}", self.compression.name());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
            }
        }
    }
}

impl<R: BufRead> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let count = match &mut self.state {
                State::Start(_) | State::Between(_) => 0,
                State::Gzip(member) => member.read(buffer)?,
                State::Zstd(frame) => frame.read(buffer)?,
                State::End => return Ok(0),
            };
            if count > 0 {
                return Ok(count);
            }
            self.state = match std::mem::replace(&mut self.state, State::End) {
                State::Start(input) => self.first(input)?,
                State::Gzip(member) => State::Between(member.into_inner()),
                State::Zstd(frame) => State::Between(frame.finish()),
                State::Between(input) => self.next(input)?,
                State::End => State::End,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &str) -> Vec<u8> {
        zstd::encode_all(text.as_bytes(), 1).unwrap()
    }

    /// Read in small pieces, so that members end anywhere in a block.
    fn read(compression: Compression, bytes: &[u8]) -> Result<String, String> {
        let mut text = Vec::new();
        let input = io::BufReader::with_capacity(7, bytes);
        Decompressed::new(compression, input).read_to_end(&mut text).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn members_and_frames_follow_each_other_and_nul_bytes_change_nothing() {
        for (compression, compress) in [(Compression::Gzip, gzip as fn(&str) -> Vec<u8>), (Compression::Zstd, zstd)] {
            let check =
                |parts: &[&[u8]], expect: &str| assert_eq!(read(compression, &parts.concat()).as_deref(), Ok(expect), "{compression:?}");
            let (one, two, nothing) = (compress("a\nb"), compress("c\n"), compress(""));
            check(&[&one], "a\nb");
            check(&[&one, &two, &nothing, &two], "a\nbc\nc\n");
            check(&[&one, &[0; 1000]], "a\nb");
            check(&[&one, &[0; 20], &two, &[0; 3]], "a\nbc\n");
            check(&[&nothing], "");
        }
        let skippable = b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello";
        assert_eq!(read(Compression::Zstd, &[skippable, &zstd("a")[..], skippable].concat()).as_deref(), Ok("a"));
    }

    #[test]
    fn what_is_not_compressed_or_not_all_of_it_says_so() {
        for (compression, compress) in [(Compression::Gzip, gzip as fn(&str) -> Vec<u8>), (Compression::Zstd, zstd)] {
            let check = |bytes: &[u8], expect: &str| {
                let error = read(compression, bytes).unwrap_err();
                assert!(error.contains(expect), "{compression:?}: {error}");
            };
            let one = compress("some text that is long enough");
            check(b"", "it is empty");
            check(b"k,v\n1,2\n", "not compressed with that: it begins with \"k,v\\n1,2\"");
            check(b"k", "it begins with \"k\"");
            check(&[0; 100], "not compressed with that");
            check(&[&one[..], b"k,v\n"].concat(), "bytes follow its compressed data");
            check(&[&one[..], &[0; 10], b"x"].concat(), "bytes follow its compressed data");
            check(&one[..one.len() - 3], "");
            check(&[&one[..], &one[..6]].concat(), "");
        }
    }
}
