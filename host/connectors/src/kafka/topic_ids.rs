//! What a cluster tells of its topics beside where they are: the ids that it gives them (one that was deleted and made anew under its name has another one), and what this client may do with them.
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

/// What a client may do with a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TopicRights {
    pub reads: bool,
    pub writes: bool,
}

/// The ids of these topics, as far as the cluster tells: an older one has none, and what is not there has none.
pub(super) fn topic_ids(
    client: *mut native::rd_kafka_t,
    topics: &BTreeSet<&str>,
    within: Duration,
) -> KafkaResult<BTreeMap<String, String>> {
    // SAFETY: an event that is an answer is read as one.
    described(client, topics, within, false, |event| unsafe { ids(event) })
}

/// What the client may do with these topics, as far as the cluster tells.
pub(super) fn topic_rights(
    client: *mut native::rd_kafka_t,
    topics: &BTreeSet<&str>,
    within: Duration,
) -> KafkaResult<BTreeMap<String, TopicRights>> {
    // SAFETY: an event that is an answer is read as one.
    described(client, topics, within, true, |event| unsafe { rights(event) })
}

/// Asks, and has the answer read.
fn described<T>(
    client: *mut native::rd_kafka_t,
    topics: &BTreeSet<&str>,
    within: Duration,
    with_rights: bool,
    read: impl FnOnce(&Owned<native::rd_kafka_event_t>) -> T,
) -> KafkaResult<T> {
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
        if with_rights {
            drop(Owned::new(
                native::rd_kafka_AdminOptions_set_include_authorized_operations(options.get(), 1),
                native::rd_kafka_error_destroy,
            ));
        }
        native::rd_kafka_DescribeTopics(client, topics.get(), options.get(), queue.get());
        let event = Owned::new(native::rd_kafka_queue_poll(queue.get(), within), native::rd_kafka_event_destroy);
        let event = event.ok_or(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut))?;
        let error = RDKafkaErrorCode::from(native::rd_kafka_event_error(event.get()));
        if error != RDKafkaErrorCode::NoError {
            return Err(KafkaError::AdminOp(error));
        }
        Ok(read(&event))
    }
}

/// The topics that an answer tells of.
unsafe fn found(event: &Owned<native::rd_kafka_event_t>) -> impl Iterator<Item = *const native::rd_kafka_TopicDescription_t> {
    let mut count = 0;
    // SAFETY: the event is the answer to that question; what is read of it lives as long.
    let found = unsafe {
        let result = native::rd_kafka_event_DescribeTopics_result(event.get());
        native::rd_kafka_DescribeTopics_result_topics(result, &mut count)
    };
    // SAFETY: there are so many.
    (0..count).map(move |place| unsafe { *found.add(place) })
}

/// What an answer says of rights. Who may not even know of a topic may do nothing with it.
unsafe fn rights(event: &Owned<native::rd_kafka_event_t>) -> BTreeMap<String, TopicRights> {
    use native::rd_kafka_AclOperation_t::{RD_KAFKA_ACL_OPERATION_READ, RD_KAFKA_ACL_OPERATION_WRITE};
    let mut rights = BTreeMap::new();
    // SAFETY: what is read of the event lives as long as it; where there are operations, there are so many.
    unsafe {
        for topic in found(event) {
            let error = native::rd_kafka_TopicDescription_error(topic);
            let code = if error.is_null() { RDKafkaErrorCode::NoError } else { native::rd_kafka_error_code(error).into() };
            let mut count = 0;
            let operations = native::rd_kafka_TopicDescription_authorized_operations(topic, &mut count);
            let of_topic = match code {
                RDKafkaErrorCode::TopicAuthorizationFailed => TopicRights::default(),
                RDKafkaErrorCode::NoError if !operations.is_null() => {
                    let has = |operation| (0..count).any(|place| *operations.add(place) == operation);
                    TopicRights { reads: has(RD_KAFKA_ACL_OPERATION_READ), writes: has(RD_KAFKA_ACL_OPERATION_WRITE) }
                }
                _ => continue,
            };
            let name = CStr::from_ptr(native::rd_kafka_TopicDescription_name(topic));
            rights.insert(name.to_string_lossy().into_owned(), of_topic);
        }
    }
    rights
}

/// What an answer says.
unsafe fn ids(event: &Owned<native::rd_kafka_event_t>) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    // SAFETY: what is read of the event lives as long as it.
    unsafe {
        for topic in found(event) {
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
