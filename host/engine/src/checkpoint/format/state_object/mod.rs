//! The file format of a state object: what one subtask stores for one checkpoint. Part of the format of checkpoints.
//!
//! ```text
//! object  = "WEIRSTAT" version:u16 *section footer
//! section = kind:u8 operator:text key-group:u32 payload-length:u64 payload crc32c:u32
//! footer  = count:u32 *entry trailer
//! entry   = kind:u8 operator:text key-group:u32 offset:u64 length:u64      ; of a whole section, in the order of the sections
//! trailer = footer-offset:u64 object-length:u64 crc32c:u32 "WEIR-END"
//! text    = length:u16, and as many bytes of UTF-8
//! ```
//!
//! What a payload holds, its section's kind says. Keyed state is a block ([`SectionKind::KeyedState`], `state/block.rs`) or a delta
//! ([`SectionKind::Delta`], `state/delta.rs`); an object holds one of the two for all its operators: the keyed state as a whole, or what
//! changed since the checkpoint that this one builds on. Restoring applies the newest whole object and the deltas behind it, oldest
//! first. Broadcast state, whose key group is 0 and means nothing, holds all broadcast states of one operator's subtask that are not
//! empty. Records in flight ([`SectionKind::InFlight`]) are described in `checkpoint/format/in_flight.rs`, recorded calls
//! ([`SectionKind::CallLog`]) in `checkpoint/format/call_log.rs`, staged output ([`SectionKind::StagedOutput`]) in `checkpoint/format/staged.rs`.
//!
//! ```text
//! delta     = number-of-removed *bytes block    ; removed keys, strictly ascending; then the keys that changed, with all their states
//! broadcast = number-of-states *(state-index version count *(bytes bytes))   ; indexes ascend; entry and value, entries strictly ascending
//! bytes     = length, and as many bytes
//! ```
//!
//! Numbers in payloads are LEB128; `state-index` counts all states that the operator declared, `version` is the schema version under
//! which the state's values were written.
//!
//! Outside of payloads numbers are little-endian. A section's checksum covers all of the section before it, the trailer's all of the footer before it; magic,
//! version and length are compared; sections lie end to end. So every byte is covered: a flipped bit or a missing byte anywhere is an
//! error that names the object, and where it lies in a section, the section.

mod reader;
mod writer;

#[cfg(test)]
mod broadcast_golden_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod reader_tests;
#[cfg(test)]
mod time_golden_tests;

pub use reader::{Section, StateObjectReader};
pub use writer::StateObjectWriter;

const MAGIC: &[u8; 8] = b"WEIRSTAT";
const END_MAGIC: &[u8; 8] = b"WEIR-END";
const VERSION: u16 = 1;
/// Magic and version.
const HEADER_BYTES: usize = 10;
/// Footer's offset, object's length, checksum, end magic.
const TRAILER_BYTES: usize = 28;
/// A checksum.
const CRC_BYTES: usize = 4;

/// What a section holds. The numbers are part of the format; kinds that are not served yet are reserved, and refused by name where
/// they are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SectionKind {
    /// A block of one key group: value, list and map states of its keys.
    KeyedState = 1,
    /// Timers of one key group.
    Timers = 2,
    /// The watermarks below which a key group's keys must not fall.
    WatermarkFloors = 3,
    /// When values of one key group expire.
    TtlStamps = 4,
    /// Broadcast state of a subtask.
    Broadcast = 5,
    /// Records that an unaligned barrier overtook.
    InFlight = 6,
    /// Output that is not yet known to be committed.
    Committables = 7,
    /// Changes of one key group since an earlier checkpoint: removed keys, then a block of the keys that changed with all their states.
    Delta = 8,
    /// State of an operator as a whole.
    OperatorState = 9,
    /// What an operator's subtask was called with.
    CallLog = 10,
    /// What an outbox sink's subtask wrote.
    StagedOutput = 11,
}

impl SectionKind {
    const ALL: [Self; 11] = [
        Self::KeyedState,
        Self::Timers,
        Self::WatermarkFloors,
        Self::TtlStamps,
        Self::Broadcast,
        Self::InFlight,
        Self::Committables,
        Self::Delta,
        Self::OperatorState,
        Self::CallLog,
        Self::StagedOutput,
    ];

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyedState => "keyed state",
            Self::Timers => "timers",
            Self::WatermarkFloors => "watermark floors",
            Self::TtlStamps => "TTL stamps",
            Self::Broadcast => "broadcast state",
            Self::InFlight => "in-flight records",
            Self::Committables => "committables",
            Self::Delta => "delta",
            Self::OperatorState => "operator state",
            Self::CallLog => "recorded calls",
            Self::StagedOutput => "staged output",
        }
    }

    /// True where this version reads such sections. To leave one out would be to lose what it holds.
    fn is_served(self) -> bool {
        match self {
            Self::KeyedState | Self::Delta | Self::Broadcast | Self::InFlight | Self::CallLog | Self::StagedOutput => true,
            Self::Timers | Self::WatermarkFloors | Self::TtlStamps | Self::Committables | Self::OperatorState => false,
        }
    }
}
