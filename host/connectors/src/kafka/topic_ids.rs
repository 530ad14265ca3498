//! The ids that a cluster gives its topics: one that was deleted and made anew under its name has another one.
//!
//! rdkafka does not ask for them, librdkafka does (`DescribeTopics`): each pointer of that is in a type here that gives it back.

#![expect(unsafe_code, reason = "rdkafka has no call for what librdkafka can be asked")]

use rdkafka::bindings as native;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::ptr::{NonNull, null_mut};
use std::time::Duration;

/// What is given back when it goes.
struct Owned<T>(NonNull<T>, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    /// `None`: librdkafka has given nothing.
    ///
    /// # Safety
    ///
    /// `pointer` is null or nobody else's, and `give_back` takes it.
    unsafe fn new(pointer: *mut T, give_back: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self(pointer, give_back))
    }

    fn get(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: so it was promised when it was made; this happens once.
        unsafe { (self.1)(self.0.as_ptr()) }
    }
}

/// The ids of these topics, as far as the cluster tells: an older one has none, and what is not there has none.
pub(super) fn topic_ids(
    client: *mut native::rd_kafka_t,
    topics: &BTreeSet<&str>,
    within: Duration,
) -> KafkaResult<BTreeMap<String, String>> {
    let nothing = || KafkaError::AdminOpCreation("librdkafka has no memory left".into());
    let names: Vec<CString> = topics.iter().filter_map(|topic| CString::new(*topic).ok()).collect();
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let within = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client lives as long as this call; names are copied; whatever is made here is given back when it goes, and the event, which the rest is read from, last.
    unsafe {
        let topics = native::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let topics = Owned::new(topics, native::rd_kafka_TopicCollection_destroy).ok_or_else(nothing)?;
        let queue = Owned::new(native::rd_kafka_queue_new(client), native::rd_kafka_queue_destroy).ok_or_else(nothing)?;
        let operation = native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = native::rd_kafka_AdminOptions_new(client, operation);
        let options = Owned::new(options, native::rd_kafka_AdminOptions_destroy).ok_or_else(nothing)?;
        native::rd_kafka_AdminOptions_set_request_timeout(options.get(), within, null_mut(), 0);
        native::rd_kafka_DescribeTopics(client, topics.get(), options.get(), queue.get());
        let event = Owned::new(native::rd_kafka_queue_poll(queue.get(), within), native::rd_kafka_event_destroy);
        let event = event.ok_or(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut))?;
        let error = RDKafkaErrorCode::from(native::rd_kafka_event_error(event.get()));
        if error != RDKafkaErrorCode::NoError {
            return Err(KafkaError::AdminOp(error));
        }
        Ok(ids(&event))
    }
}

/// What an answer says.
unsafe fn ids(event: &Owned<native::rd_kafka_event_t>) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    // SAFETY: the event is the answer to that question; what is read of it lives as long.
    unsafe {
        let result = native::rd_kafka_event_DescribeTopics_result(event.get());
        let mut count = 0;
        let found = native::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        for topic in (0..count).map(|place| *found.add(place)) {
            let (name, id) = (native::rd_kafka_TopicDescription_name(topic), native::rd_kafka_TopicDescription_topic_id(topic));
            let is_one = |half: i64| half != 0;
            let has_id = !id.is_null()
                && (is_one(native::rd_kafka_Uuid_most_significant_bits(id)) || is_one(native::rd_kafka_Uuid_least_significant_bits(id)));
            if has_id {
                let id = CStr::from_ptr(native::rd_kafka_Uuid_base64str(id));
                ids.insert(CStr::from_ptr(name).to_string_lossy().into_owned(), id.to_string_lossy().into_owned());
            }
        }
    }
    ids
}
