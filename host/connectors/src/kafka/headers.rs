//! The headers of messages that are written, byte by byte: rdkafka takes their names for text, and panics where one has a zero byte.

use rdkafka::bindings::{rd_kafka_header_add, rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_resp_err_t};
use rdkafka::message::{BorrowedHeaders, OwnedHeaders};
use std::ffi::{CStr, c_void};
use std::ptr::{from_ref, null};

/// The headers of a message that is written.
pub(super) fn headers<'a>(all: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> OwnedHeaders {
    let headers = OwnedHeaders::new();
    all.for_each(|(name, value)| add(&headers, name, value));
    headers
}

#[expect(unsafe_code, reason = "rdkafka takes names for text, and panics where one has a zero byte")]
fn add(headers: &OwnedHeaders, name: &[u8], value: &[u8]) {
    let length = |bytes: &[u8]| isize::try_from(bytes.len()).expect("no slice is longer");
    // SAFETY: the headers are this function's caller's alone, who has just made them; librdkafka copies name and value, which have these lengths.
    let added = unsafe {
        let headers = native(headers.as_borrowed()).cast_mut();
        rd_kafka_header_add(headers, name.as_ptr().cast(), length(name), value.as_ptr().cast::<c_void>(), length(value))
    };
    assert_eq!(added, rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR, "headers that are not read-only take one more");
}

/// The headers of a message that was written; a value that is absent is empty.
#[expect(unsafe_code, reason = "rdkafka has no other way to a name that is no text")]
pub(super) fn all(headers: &BorrowedHeaders) -> Vec<(Vec<u8>, Vec<u8>)> {
    let one = |place| {
        let (mut name, mut value, mut length) = (null(), null(), 0);
        // SAFETY: the headers are there; a name ends in a zero byte, and a value, where there is one, has this length.
        unsafe {
            let found = rd_kafka_header_get_all(native(headers), place, &mut name, &mut value, &mut length);
            let is_there = found == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
            let bytes = |value: *const u8| if value.is_null() { Vec::new() } else { std::slice::from_raw_parts(value, length).to_vec() };
            is_there.then(|| (CStr::from_ptr(name).to_bytes().to_vec(), bytes(value.cast::<u8>())))
        }
    };
    (0..).map_while(one).collect()
}

/// They are what librdkafka has: rdkafka's type is a name for it, and has nothing of its own.
fn native(headers: &BorrowedHeaders) -> *const rd_kafka_headers_t {
    from_ref(headers).cast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_any_bytes() {
        let said: [(&[u8], &[u8]); 4] = [(b"a", b"1"), (b"\xff\xfe", b"\xff"), (b"", b""), (b"a", b"2")];
        let made = headers(said.into_iter());
        assert_eq!(all(made.as_borrowed()), said.map(|(name, value)| (name.to_vec(), value.to_vec())));
    }
}
