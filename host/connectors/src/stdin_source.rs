//! The source `stdin`: the lines of standard input, which nobody can read twice.
//!
//! Reading a pipe or a terminal blocks, so a thread of its own does it and hands blocks of lines over through a bounded channel.
//! The thread and what it has read belong to the source, not to a reader: after a restart within the process the next reader goes on
//! with the lines that the last one had not taken.

use crate::settings::{Settings, SettingsError};
use serde_json::{Map, Value, json};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use weir_engine::element::Column;
use weir_engine::operator::Subtask;
use weir_engine::source::SplitProgress;
use weir_engine::{BatchBuilder, EngineError, ErrorKind, ReadStatus, Source, SourceReader, SplitState};

/// Bytes that are asked of the input at once.
const BLOCK_BYTES: usize = 64 * 1024;
/// Blocks that wait for the reader; then the thread stops reading.
const BLOCKS_MAX: usize = 8;
/// The longest line.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

type Input = Box<dyn Read + Send>;

/// Reads lines from standard input, with parallelism 1 and without replay.
pub(crate) struct StdinSource {
    feed: Arc<Mutex<Feed>>,
}

impl StdinSource {
    /// It has no settings.
    pub(crate) fn new(settings: &Map<String, Value>) -> Result<(Self, Map<String, Value>), SettingsError> {
        let shown = Settings::new("the source `stdin`", settings).finish()?;
        Ok((Self::reading(Box::new(std::io::stdin())), shown))
    }

    fn reading(input: Input) -> Self {
        Self { feed: Arc::new(Mutex::new(Feed::of(input))) }
    }
}

impl Source for StdinSource {
    fn connector(&self) -> &'static str {
        "stdin"
    }

    fn replayable(&self) -> bool {
        false
    }

    fn identity(&self) -> Value {
        json!({ "connector": "stdin" })
    }

    fn discover(&self, _parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        Ok(vec![SplitState { id: "stdin".into(), spec: Value::Null, progress: SplitProgress::Unread }])
    }

    fn gives_keys(&self) -> bool {
        false
    }

    fn verify(&self, splits: &[SplitState]) -> Result<Vec<String>, EngineError> {
        let begun = splits.iter().any(|split| matches!(split.progress, SplitProgress::At(_)));
        let warning = "stdin is not read again: the run goes on with the lines that come now";
        Ok(begun.then(|| warning.to_string()).into_iter().collect())
    }

    fn reader(&self, _subtask: &Subtask, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        let split = splits.into_iter().next();
        let lines = match &split {
            Some(SplitState { progress: SplitProgress::At(lines), .. }) => lines.as_u64().unwrap_or(0),
            Some(_) | None => 0,
        };
        Ok(Box::new(StdinReader { feed: self.feed.clone(), split, lines }))
    }
}

/// The input and what has been read of it.
struct Feed {
    input: Reading,
    /// The block of lines at hand.
    lines: Column,
    /// How many of its lines have been taken.
    taken: usize,
}

enum Reading {
    /// Nobody has asked yet.
    Idle(Input),
    /// The thread reads.
    Thread(mpsc::Receiver<Result<Column, String>>),
    /// The input has ended, or it cannot be read.
    Ended,
}

impl Feed {
    fn of(input: Input) -> Self {
        Self { input: Reading::Idle(input), lines: Column::new(), taken: 0 }
    }

    /// Waits until there is a line to take; false at the end of the input.
    fn poll_lines(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, EngineError>> {
        let failed = |why: String| EngineError::new(ErrorKind::FixInput, format!("read standard input: {why}"));
        while self.taken == self.lines.len() {
            self.input = match std::mem::replace(&mut self.input, Reading::Ended) {
                Reading::Idle(input) => Reading::Thread(start_thread(input).map_err(|e| failed(format!("start its thread: {e}")))?),
                Reading::Ended => return Poll::Ready(Ok(false)),
                Reading::Thread(mut blocks) => match blocks.poll_recv(cx) {
                    Poll::Ready(Some(Ok(block))) => {
                        (self.lines, self.taken) = (block, 0);
                        Reading::Thread(blocks)
                    }
                    Poll::Ready(Some(Err(why))) => return Poll::Ready(Err(failed(why))),
                    Poll::Ready(None) => Reading::Ended,
                    Poll::Pending => {
                        self.input = Reading::Thread(blocks);
                        return Poll::Pending;
                    }
                },
            };
        }
        Poll::Ready(Ok(true))
    }
}

/// A thread of its own, and not a task: it sits in `read` for as long as nobody types, and the process may end meanwhile.
fn start_thread(input: Input) -> std::io::Result<mpsc::Receiver<Result<Column, String>>> {
    let (sender, blocks) = mpsc::channel(BLOCKS_MAX);
    std::thread::Builder::new().name("weir-stdin".into()).spawn(move || read_lines(input, &sender))?;
    Ok(blocks)
}

/// Sends the lines of `input` until it ends or nobody takes them any more.
fn read_lines(mut input: Input, blocks: &mpsc::Sender<Result<Column, String>>) {
    let mut block = vec![0; BLOCK_BYTES];
    let mut rest = Vec::new();
    loop {
        let message = match input.read(&mut block) {
            Ok(0) => break,
            Ok(count) if rest.len() + count > LINE_BYTES_MAX => Err(format!("a line is longer than {LINE_BYTES_MAX} bytes")),
            Ok(count) => Ok(cut_lines(&mut rest, &block[..count])),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error.to_string()),
        };
        let stop = message.is_err();
        if blocks.blocking_send(message).is_err() || stop {
            return;
        }
    }
    if !rest.is_empty() {
        let mut last = Column::new();
        last.push(&rest);
        let _ = blocks.blocking_send(Ok(last)); // nobody takes it: the job has ended
    }
}

/// The lines that end in `block`; what follows the last of them stays in `rest`.
fn cut_lines(rest: &mut Vec<u8>, block: &[u8]) -> Column {
    let mut lines = Column::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', block) {
        rest.extend_from_slice(&block[start..end]);
        lines.push(rest.strip_suffix(b"\r").unwrap_or(rest));
        rest.clear();
        start = end + 1;
    }
    rest.extend_from_slice(&block[start..]);
    lines
}

struct StdinReader {
    feed: Arc<Mutex<Feed>>,
    /// `None` for a subtask that has no part in the input.
    split: Option<SplitState>,
    lines: u64,
}

impl SourceReader for StdinReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut BatchBuilder) -> Poll<Result<ReadStatus, EngineError>> {
        let Some(split) = self.split.as_mut().filter(|split| split.progress != SplitProgress::Finished) else {
            return Poll::Ready(Ok(ReadStatus::End));
        };
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        if !ready!(feed.poll_lines(cx))? {
            split.progress = SplitProgress::Finished;
            return Poll::Ready(Ok(ReadStatus::End));
        }
        let taken = feed.taken;
        feed.taken += max_records.min(feed.lines.len() - taken);
        (taken..feed.taken).for_each(|line| out.push(None, feed.lines.get(line), None));
        let count = feed.taken - taken;
        self.lines += count as u64;
        split.progress = SplitProgress::At(self.lines.into());
        Poll::Ready(Ok(ReadStatus::More))
    }

    fn splits(&self) -> Vec<SplitState> {
        self.split.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::subtask;
    use std::task::{Wake, Waker};

    struct Unpark(std::thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// Reads up to `count` lines, parked while the reader waits.
    fn lines(reader: &mut dyn SourceReader, count: usize) -> Result<Vec<String>, EngineError> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut lines = Vec::new();
        while lines.len() < count {
            let mut out = BatchBuilder::new();
            match reader.poll_read(&mut Context::from_waker(&waker), count - lines.len(), &mut out) {
                Poll::Pending => std::thread::park(),
                Poll::Ready(status) => {
                    lines.extend(out.finish().values().iter().map(|line| String::from_utf8_lossy(line).into_owned()));
                    if status? == ReadStatus::End {
                        break;
                    }
                }
            }
        }
        Ok(lines)
    }

    fn reader(source: &StdinSource) -> Box<dyn SourceReader> {
        source.reader(&subtask(0, 1), source.discover(1).unwrap()).unwrap()
    }

    #[test]
    fn lines_come_without_their_ends() {
        let source = StdinSource::reading(Box::new(&b"a\r\n\nb b\nlast"[..]));
        let mut reader = reader(&source);
        assert_eq!(lines(&mut *reader, 10).unwrap(), ["a", "", "b b", "last"]);
        assert_eq!(reader.splits()[0].progress, SplitProgress::Finished);
    }

    #[test]
    fn the_next_reader_goes_on_where_the_last_one_stopped() {
        let text = (0..50_000).map(|n| format!("{n}\n")).collect::<String>();
        let source = StdinSource::reading(Box::new(std::io::Cursor::new(text)));
        let mut first = reader(&source);
        assert_eq!(lines(&mut *first, 20_000).unwrap().last().unwrap(), "19999");
        assert_eq!(first.splits()[0].progress, SplitProgress::At(20_000.into()));
        let rest = lines(&mut *reader(&source), usize::MAX).unwrap();
        assert_eq!((rest.len(), rest[0].as_str(), rest[29_999].as_str()), (30_000, "20000", "49999"));
    }

    #[test]
    fn a_reader_waits_for_the_line_that_is_being_typed() {
        let (sender, receiver) = std::io::pipe().map(|(receiver, sender)| (sender, receiver)).unwrap();
        let source = StdinSource::reading(Box::new(receiver));
        let mut reader = reader(&source);
        let pending = reader.poll_read(&mut Context::from_waker(Waker::noop()), 1, &mut BatchBuilder::new());
        assert!(pending.is_pending());
        std::io::Write::write_all(&mut &sender, b"typed\n").unwrap();
        assert_eq!(lines(&mut *reader, 1).unwrap(), ["typed"]);
        drop(sender);
        assert_eq!(lines(&mut *reader, 1).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_line_without_end_is_refused_at_its_bound() {
        let source = StdinSource::reading(Box::new(std::io::repeat(b'x')));
        let error = lines(&mut *reader(&source), 1).unwrap_err();
        assert_eq!(error.to_string(), "read standard input: a line is longer than 16777216 bytes");
    }

    #[test]
    fn it_says_that_it_cannot_replay_and_has_no_keys() {
        let source = StdinSource::reading(Box::new(std::io::empty()));
        assert!(!source.replayable() && !source.gives_keys());
        let begun = SplitState { id: "stdin".into(), spec: Value::Null, progress: SplitProgress::At(3.into()) };
        assert_eq!(source.verify(&[begun]).unwrap().len(), 1);
    }
}
