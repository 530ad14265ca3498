//! Every fault of the `faulty` plugin, a line each: what the record asks for, and what the error says.

use std::time::Duration;
use weir_tests::sandbox::{Bench, faulty};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings};

/// The operator's id.
pub const OPERATOR: &str = "shaky";

/// Limits that a test reaches soon.
pub fn limits() -> Limits {
    Limits {
        memory: 8 << 20,
        time_per_batch: Duration::from_millis(100),
        output_bytes: 256 << 10,
        output_records: 1_000,
        ..Limits::default()
    }
}

/// The plugin with these limits.
pub fn settings(on_failure: OnFailure) -> OperatorSettings {
    OperatorSettings { operator: OPERATOR.into(), config: "{}".into(), limits: limits(), on_failure }
}

/// A bench where instructions stand for time, so that a loaded machine changes nothing.
pub fn bench(on_failure: OnFailure) -> Bench {
    Bench::open(faulty(EngineMode::Fuel), settings(on_failure)).expect("opens")
}

/// One way to fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The record's value.
    pub value: &'static str,
    /// The error, behind the place.
    pub error: &'static str,
    /// The guest's functions are in the error.
    pub backtrace: bool,
}

const fn inside(value: &'static str, error: &'static str) -> Fault {
    Fault { value, error, backtrace: true }
}

const fn returned(value: &'static str, error: &'static str) -> Fault {
    Fault { value, error, backtrace: false }
}

/// Traps, time, memory, answers that are too large, failures.
pub const FAULTS: [Fault; 24] = [
    inside("trap", "the plugin trapped: wasm trap: wasm `unreachable` instruction executed"),
    inside("panic", "as requested"),
    inside("divide", "attempt to divide by zero"),
    inside("index", "index out of bounds: the len is 2 but the index is 2"),
    // Which of the two stacks ends first, the guest's own in its memory or the host's, is up to the compiler.
    inside("recurse", "the plugin trapped: wasm trap: "),
    inside("spin", "the plugin did not return within"),
    inside("log", "the plugin did not return within"),
    returned("alloc", "the plugin ran out of memory"),
    returned("alloc:9000000", "may have 8388608 (limits.memory)"),
    returned("flood", "the plugin ran out of memory"),
    returned("flood:300000", "the plugin returned too much: more than 262144 bytes from one call"),
    returned("records:2000", "records from one call, and 1000 are the most"),
    returned("fail", "the plugin failed on record"),
    returned("fail", "of the batch: failed as requested"),
    returned("unnamed", "the plugin failed on the batch: failed without a name, as requested"),
    returned("astray", "the plugin failed on record 4294967295 of the batch: failed astray, as requested"),
    inside("read:list-key", "list-length names key 1048576, but the batch has"),
    inside("read:list-state", "list-length names state 1048576, but 3 are declared"),
    inside("read:list-kind", "list-read names state 0, \"count\", whose kind is Value"),
    inside("read:map-key", "map-get names key 1048576, but the batch has"),
    inside("read:map-kind", "map-get names state 1, \"values\", whose kind is List"),
    inside("read:scan-key", "map-scan names key 1048576, but the batch has"),
    inside("read:broadcast", "broadcast-get"),
    returned("escape", r"of the batch: \u{1b}]0;weir\u{7}\u{1b}[2J\u{202e}lla si llew"),
];

/// Effects that break a rule of `wit/operator.wit`.
pub const MALFORMED: [Fault; 49] = [
    returned("malformed:ends-fall", "output 0: values: "),
    returned("malformed:ends-past-data", "output 0: values: "),
    returned("malformed:ends-before-data", "output 0: values: "),
    returned("malformed:ends-odd", "output 0: values: "),
    returned("malformed:cause-out-of-range", "output 0: cause names record 16777216, but the batch has"),
    returned("malformed:cause-count", "output 0: values has"),
    returned("malformed:keys-count", "output 0: keys has"),
    returned("malformed:keyless-out-of-range", "output 0: keyless names record 16777216, but keys has"),
    returned("malformed:keyless-falls", "output 0: keyless does not ascend"),
    returned("malformed:keyless-without-keys", "output 0: keyless names record 0, but keys has 0 items"),
    returned("malformed:keyless-not-empty", "is keyless, but its item in keys is not empty"),
    returned("malformed:timestamps-count", "output 0: timestamps has"),
    returned("malformed:timestamps-odd", "output 0: timestamps: "),
    returned("malformed:valueless-out-of-range", "output 0: valueless names record 16777216, but values has"),
    returned("malformed:valueless-not-empty", "record 0 is valueless, but its item in values is not empty"),
    returned("malformed:headers-count", "output 0: headers has"),
    returned("malformed:headers-ends-fall", "output 0: headers: the "),
    returned("malformed:headers-names", "output 0: headers: 1 names and 0 values"),
    returned("malformed:passes-long", "output 0: passes has 65536 bytes where there have to be"),
    returned("malformed:passes-behind", "output 0: passes names a record behind the last"),
    returned("malformed:output-number", "output 2 is named, but 2 are declared"),
    returned("malformed:output-twice", "output 0 is named twice"),
    returned("malformed:state-number", "state 3 is named, but 3 are declared"),
    returned("malformed:state-kind", "\"values\" is updated as a Value, but declared as a List"),
    returned("malformed:state-twice", "state 0 is named twice"),
    returned("malformed:key-out-of-range", "state 0: set names key 16777216, but the batch has"),
    returned("malformed:key-twice", "is named twice"),
    returned("malformed:key-set-and-cleared", "is named twice"),
    returned("malformed:keys-odd", "state 0: set: keys: "),
    returned("malformed:items-count", "state 0: set has"),
    returned("malformed:list-kind", "state 0: \"count\" is updated as a List, but declared as a Value"),
    returned("malformed:list-key-out-of-range", "state 1: append names key 16777216, but the batch has"),
    returned("malformed:list-popped-twice", "state 1: popped names key 0 twice"),
    returned("malformed:list-popped-count", "state 1: popped has 0 items where there have to be 1"),
    returned("malformed:list-truncated-key-out-of-range", "state 1: truncated names key 16777216, but the batch has"),
    returned("malformed:list-truncated-odd", "state 1: truncated: counts: 3 bytes are no multiple of 8"),
    returned("malformed:map-key-out-of-range", "state 2: put names key 16777216, but the batch has"),
    returned("malformed:map-values-count", "state 2: values has"),
    returned("malformed:map-entry-twice", "state 2: an entry of key"),
    returned("malformed:broadcast", "state 0 is updated as broadcast state, and this batch is no broadcast"),
    returned("malformed:touched-number", "touched state 3 is named, but 3 are declared"),
    returned("malformed:touched-without-ttl", "has no time to live that counts from its last read"),
    returned("malformed:timer-number", "timer 1 is named, but 1 are declared"),
    returned("malformed:timer-named-twice", "timer 0 is named twice"),
    returned("malformed:timer-key-out-of-range", "timer 0: set names key 16777216, but the batch has"),
    returned("malformed:timer-times-count", "timer 0: set has"),
    returned("malformed:timer-times-odd", "timer 0: set: times: "),
    returned("malformed:timer-set-and-deleted", "is both set and deleted"),
    returned("malformed:metric-without-name", "a metric is named \"\""),
];
