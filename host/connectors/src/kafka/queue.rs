//! What librdkafka has fetched of a partition, taken many at a time. One by one, as `rdkafka` gives them, each message is an event that is made, looked at and
//! freed, with the clock read twice: the clock alone was 15 % of a data thread's time (by a profile at 700,000 records a second).
#![expect(unsafe_code, reason = "`rdkafka` has no safe way to take more than one message at a time")]

use super::client::Consumer;
use futures_util::task::AtomicWaker;
use rdkafka::bindings as librdkafka;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;

/// How many messages are taken at a time.
const AT_A_TIME: usize = 256;

/// The queue of one partition of a consumer.
pub(super) struct PartitionQueue {
    queue: NonNull<librdkafka::rd_kafka_queue_t>,
    /// Taken from the queue, the next one last.
    taken: Vec<NonNull<librdkafka::rd_kafka_message_t>>,
    /// Kept where librdkafka has its address.
    _waker: Arc<AtomicWaker>,
    /// It goes behind its queues.
    _consumer: Arc<Consumer>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub offset: i64,
    /// In milliseconds since the epoch; `None`: it has none.
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The number of the leader that had it; `None`: it had none.
    pub leader_epoch: Option<i32>,
    /// In their order. A name may be any bytes, and a value may be absent.
    pub headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

/// What comes out of a queue.
#[derive(Debug)]
pub(super) enum Came<'a> {
    Message(Message<'a>),
    /// All that there was has been taken.
    End,
    Failed(KafkaError),
    /// The partition's leader has other records at the offsets that were read, as librdkafka says in its words.
    Truncated(String),
}

/// True where a client has something to say that it has not been asked for. rdkafka's `poll` does not tell: it says nothing of an event that it has dealt with
/// itself, as of one that is not there.
pub(super) fn has_news(consumer: &Consumer) -> bool {
    // SAFETY: the client lives for as long as this, and the queue is let go before.
    unsafe {
        let queue = librdkafka::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        let waiting = if queue.is_null() { 0 } else { librdkafka::rd_kafka_queue_length(queue) };
        if !queue.is_null() {
            librdkafka::rd_kafka_queue_destroy(queue);
        }
        waiting > 0
    }
}

// SAFETY: librdkafka's handles and messages belong to no thread, and its calls on them may come from any.
unsafe impl Send for PartitionQueue {}

impl PartitionQueue {
    /// The queue of a partition, apart from its consumer's. `waker` is woken when something comes into it while it is empty. `None`: librdkafka gives none.
    pub(super) fn new(consumer: Arc<Consumer>, topic: &str, partition: i32, waker: Arc<AtomicWaker>) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client lives for as long as the queue, as the field says, and the topic's name is a text that ends.
        let queue = unsafe { librdkafka::rd_kafka_queue_get_partition(consumer.client().native_ptr(), topic.as_ptr(), partition) };
        let queue = NonNull::new(queue)?;
        // SAFETY: the queue is there. The waker's address is good until the queue goes, which takes the call back before.
        unsafe {
            librdkafka::rd_kafka_queue_forward(queue.as_ptr(), null_mut());
            librdkafka::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(wake), Arc::as_ptr(&waker).cast_mut().cast());
        }
        Some(Self { queue, taken: Vec::new(), _waker: waker, _consumer: consumer })
    }

    /// Hands over what is next, if anything is there; whatever `of` makes of it.
    pub(super) fn next<T>(&mut self, of: impl FnOnce(Came<'_>) -> T) -> Option<T> {
        if self.taken.is_empty() {
            self.take();
        }
        let message = Owned(self.taken.pop()?);
        Some(of(message.came()))
    }

    fn take(&mut self) {
        let mut messages = [null_mut(); AT_A_TIME];
        // SAFETY: the queue is there, and the array is as long as is said. What comes back belongs to this queue, which lets each go.
        let count = unsafe { librdkafka::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, messages.as_mut_ptr(), AT_A_TIME) };
        let count = usize::try_from(count).unwrap_or(0);
        self.taken.extend(messages[..count].iter().rev().filter_map(|message| NonNull::new(*message)));
    }

    /// Lets go what was taken and not handed over.
    pub(super) fn clear(&mut self) {
        self.taken.drain(..).for_each(|message| drop(Owned(message)));
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        self.clear();
        // SAFETY: the queue is there until it is destroyed here, and nobody is woken any more by then.
        unsafe {
            librdkafka::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, null_mut());
            librdkafka::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// Called by librdkafka's threads.
unsafe extern "C" fn wake(_: *mut librdkafka::rd_kafka_t, waker: *mut c_void) {
    // SAFETY: it is the address that the queue has given, which takes this call back before the waker goes.
    unsafe { &*waker.cast_const().cast::<AtomicWaker>() }.wake();
}

/// A message that is let go.
struct Owned(NonNull<librdkafka::rd_kafka_message_t>);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it came from librdkafka, and nobody has it any more.
        unsafe { librdkafka::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}

impl Owned {
    fn came(&self) -> Came<'_> {
        // SAFETY: the message is there until it is let go.
        let message = unsafe { self.0.as_ref() };
        match RDKafkaErrorCode::from(message.err) {
            RDKafkaErrorCode::NoError => {}
            RDKafkaErrorCode::PartitionEOF => return Came::End,
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::LogTruncation if self.is_truncation() => {
                return Came::Truncated(self.said());
            }
            code @ RDKafkaErrorCode::Fatal => return Came::Failed(KafkaError::MessageConsumptionFatal(code)),
            code => return Came::Failed(KafkaError::MessageConsumption(code)),
        }
        // SAFETY: as above.
        let timestamp = unsafe { librdkafka::rd_kafka_message_timestamp(self.0.as_ptr(), null_mut()) };
        // SAFETY: as above.
        let leader_epoch = unsafe { librdkafka::rd_kafka_message_leader_epoch(self.0.as_ptr()) };
        Came::Message(Message {
            offset: message.offset,
            timestamp: Some(timestamp).filter(|timestamp| *timestamp >= 0),
            key: bytes(message.key, message.key_len),
            value: bytes(message.payload, message.len),
            leader_epoch: Some(leader_epoch).filter(|epoch| *epoch >= 0),
            headers: self.headers(),
        })
    }

    /// What an error says.
    fn said(&self) -> String {
        // SAFETY: the message is there until it is let go.
        let message = unsafe { self.0.as_ref() };
        String::from_utf8_lossy(bytes(message.payload, message.len).unwrap_or_default()).into_owned()
    }

    /// True of an error that comes of a leader that has been asked whether it has what was read: of why a position cannot be gone on with librdkafka tells in words alone.
    fn is_truncation(&self) -> bool {
        let said = self.said();
        ["log truncation detected", "No epoch found less or equal"].iter().any(|sign| said.contains(sign))
    }

    fn headers(&self) -> Vec<(&[u8], Option<&[u8]>)> {
        let mut headers = null_mut();
        // SAFETY: the message is there; where it has headers, they are its own and live as long.
        let error = unsafe { librdkafka::rd_kafka_message_headers(self.0.as_ptr(), &raw mut headers) };
        let one = |place| {
            let (mut name, mut value, mut length): (*const c_char, *const c_void, usize) = (null(), null(), 0);
            // SAFETY: as above; a place behind the last one is answered with an error.
            let error = unsafe { librdkafka::rd_kafka_header_get_all(headers, place, &raw mut name, &raw mut value, &raw mut length) };
            // SAFETY: the name is a text that ends.
            (!is_error(error)).then(|| (unsafe { CStr::from_ptr(name) }.to_bytes(), bytes(value, length)))
        };
        if is_error(error) { Vec::new() } else { (0..).map_while(one).collect() }
    }
}

fn is_error(error: librdkafka::rd_kafka_resp_err_t) -> bool {
    RDKafkaErrorCode::from(error) != RDKafkaErrorCode::NoError
}

/// What is at an address of a message; `None`: it has nothing there. Both live as long as the message.
fn bytes<'a>(at: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: librdkafka says how much is there.
    NonNull::new(at.cast_mut().cast::<u8>()).map(|at| unsafe { std::slice::from_raw_parts(at.as_ptr(), length) })
}
