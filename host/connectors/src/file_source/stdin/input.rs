//! Standard input as a stream that never waits.
//!
//! Reading a pipe or a terminal blocks, so a thread of its own does it and hands blocks over through a bounded channel.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::mpsc;

/// Bytes that are asked of the input at once.
const BLOCK_BYTES: usize = 64 * 1024;
/// Blocks that wait for the reader; then the thread stops reading.
const BLOCKS_MAX: usize = 8;

type Input = Box<dyn Read + Send>;
type Block = Result<Vec<u8>, String>;

/// Whom to wake when there is more.
#[derive(Clone)]
pub(super) struct WakerSlot(Arc<Mutex<Waker>>);

impl WakerSlot {
    /// From the next read on it is `waker`.
    pub(super) fn set(&self, waker: &Waker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(waker);
    }

    fn get(&self) -> Waker {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The stream. Where nothing has come it gives the error `WouldBlock`, and wakes when something does.
pub(super) struct PolledInput {
    reading: Reading,
    waker: WakerSlot,
    block: Vec<u8>,
    /// Bytes of the block that have been read.
    taken: usize,
}

enum Reading {
    /// Nobody has asked yet.
    Idle(Input),
    /// The thread reads.
    Thread(mpsc::Receiver<Block>),
    /// The input has ended, or it cannot be read.
    Ended,
}

impl PolledInput {
    /// Over `input`, of which nothing is read before somebody asks.
    pub(super) fn new(input: Input) -> (Self, WakerSlot) {
        let waker = WakerSlot(Arc::new(Mutex::new(Waker::noop().clone())));
        (Self { reading: Reading::Idle(input), waker: waker.clone(), block: Vec::new(), taken: 0 }, waker)
    }

    /// Takes the next block; false at the end.
    fn next_block(&mut self) -> io::Result<bool> {
        if let Reading::Idle(_) = self.reading
            && let Reading::Idle(input) = std::mem::replace(&mut self.reading, Reading::Ended)
        {
            self.reading = Reading::Thread(start_thread(input)?);
        }
        let Reading::Thread(blocks) = &mut self.reading else { return Ok(false) };
        match blocks.poll_recv(&mut Context::from_waker(&self.waker.get())) {
            Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            Poll::Ready(Some(Ok(block))) => {
                (self.block, self.taken) = (block, 0);
                return Ok(true);
            }
            Poll::Ready(Some(Err(why))) => {
                self.reading = Reading::Ended;
                return Err(io::Error::other(why));
            }
            Poll::Ready(None) => self.reading = Reading::Ended,
        }
        Ok(false)
    }
}

impl Read for PolledInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() && !self.next_block()? {
            return Ok(0);
        }
        let mut rest = &self.block[self.taken..];
        let count = rest.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

/// A thread of its own, and not a task: it sits in `read` for as long as nobody types, and the process may end meanwhile.
fn start_thread(input: Input) -> io::Result<mpsc::Receiver<Block>> {
    let (sender, blocks) = mpsc::channel(BLOCKS_MAX);
    std::thread::Builder::new().name("weir-stdin".into()).spawn(move || read_blocks(input, &sender))?;
    Ok(blocks)
}

/// Sends what `input` gives until it ends or nobody takes it any more.
fn read_blocks(mut input: Input, blocks: &mpsc::Sender<Block>) {
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let message = match input.read(&mut block) {
            Ok(0) => return,
            Ok(count) => Ok(block[..count].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error.to_string()),
        };
        let stop = message.is_err();
        if blocks.blocking_send(message).is_err() || stop {
            return;
        }
    }
}
