//! The names of librdkafka's options, for those who have mistyped one.

#![expect(unsafe_code, reason = "rdkafka does not list them, librdkafka does")]

use super::options::OTHER_NAMES;
use rdkafka::bindings as librdkafka;
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char};

/// The names of all options that have a value where nobody says one, as nearly all have.
pub(super) fn option_names() -> BTreeSet<String> {
    // librdkafka lists an option by one of its names.
    let mut names: BTreeSet<String> = OTHER_NAMES.iter().flat_map(|(other, known)| [*other, *known]).map(str::to_owned).collect();
    // SAFETY: each configuration is made here and goes behind its list, which is given back.
    unsafe {
        let of_client = librdkafka::rd_kafka_conf_new();
        let mut count = 0;
        let list = librdkafka::rd_kafka_conf_dump(of_client, &mut count);
        read(list, count, &mut names);
        librdkafka::rd_kafka_conf_destroy(of_client);

        let of_topics = librdkafka::rd_kafka_topic_conf_new();
        let list = librdkafka::rd_kafka_topic_conf_dump(of_topics, &mut count);
        read(list, count, &mut names);
        librdkafka::rd_kafka_topic_conf_destroy(of_topics);
    }
    names
}

/// Takes the names out of a list of names and values, one behind the other, and gives it back.
unsafe fn read(list: *mut *const c_char, count: usize, names: &mut BTreeSet<String>) {
    // SAFETY: librdkafka says how many there are, each a text that ends.
    unsafe {
        let name = |place| CStr::from_ptr(*list.add(place)).to_string_lossy().into_owned();
        names.extend((0..count).step_by(2).map(name));
        librdkafka::rd_kafka_conf_dump_free(list, count);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_names_are_those_of_clients_and_of_topics() {
        let names = super::option_names();
        assert!(
            ["fetch.min.bytes", "linger.ms", "request.required.acks", "partitioner"].iter().all(|name| names.contains(*name)),
            "{names:?}"
        );
    }
}
