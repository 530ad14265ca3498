//! Ways to misbehave, and the places where the host enters a guest: each way at each place is a hostile guest.

use super::wat::{Answer, WatGuest};

/// A way to misbehave.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// What it is.
    pub name: &'static str,
    /// The function `$bad`, which does it, and what that needs.
    pub code: &'static str,
    /// What the error says.
    pub error: &'static str,
}

const fn way(name: &'static str, code: &'static str, error: &'static str) -> Way {
    Way { name, code, error }
}

/// All ways.
pub const WAYS: [Way; 6] = [
    way("a loop", "(func $bad (loop $on (br $on)))", "did not return within"),
    way("a trap", "(func $bad unreachable)", "wasm `unreachable` instruction executed"),
    way("a recursion", "(func $bad (call $bad) (global.set $top (i32.const 0)))", "call stack exhausted"),
    way(
        "a memory bomb",
        "(func $bad (loop $on (br_if $on (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable)",
        "(limits.memory)",
    ),
    way(
        "a table bomb",
        "(table $t 0 funcref) (func $bad (loop $on (br_if $on (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) unreachable)",
        "(limits.table-elements)",
    ),
    way("a table index that lies", "(table $u 1 funcref) (func $bad (call_indirect $u (i32.const 7)))", "wasm trap: undefined element"),
];

/// Where the host enters a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it is instantiated.
    Start,
    /// Where the host wants room for its config.
    Realloc,
    /// In `describe`.
    Describe,
    /// In `open`.
    Open,
    /// In `process`.
    Process,
    /// In `on-timers`.
    OnTimers,
    /// In `on-windows`.
    OnWindows,
    /// In `merge`.
    Merge,
    /// In `migrate`.
    Migrate,
}

/// All places.
pub const PLACES: [Place; 9] = [
    Place::Start,
    Place::Realloc,
    Place::Describe,
    Place::Open,
    Place::Process,
    Place::OnTimers,
    Place::OnWindows,
    Place::Merge,
    Place::Migrate,
];

impl Place {
    /// A guest that calls `$bad` of the items `bad` there, every time.
    pub fn guest(self, bad: &str) -> WatGuest {
        let plain = WatGuest::default().with(bad);
        match self {
            Self::Start => plain.with("(start $bad)"),
            Self::Realloc => plain.in_realloc("(call $bad)"),
            Self::Describe => plain.before("describe", "(call $bad)"),
            Self::Open => plain.before("open", "(call $bad)"),
            Self::Process => plain.before("process", "(call $bad)"),
            Self::OnTimers => plain.answering(&sets_a_timer()).before("on-timers", "(call $bad)"),
            Self::OnWindows => WatGuest::windowed().with(bad).answering(&sets_a_value()).before("on-windows", "(call $bad)"),
            Self::Merge => WatGuest::windowed().with(bad).answering(&sets_a_value()).before("merge", "(call $bad)"),
            Self::Migrate => plain.before("migrate", "(call $bad)"),
        }
    }
}

/// Its first key has the timer at the beginning of all time.
fn sets_a_timer() -> Answer {
    let mut answer = Answer::nothing();
    let (keys, times) = (answer.bytes_at(&0_u32.to_le_bytes()), answer.bytes_at(&0_i64.to_le_bytes()));
    answer.list(6, &[0, keys[0], keys[1], times[0], times[1], 0, 0, 0, 0], 1)
}

/// Its first key has a value.
fn sets_a_value() -> Answer {
    let mut answer = Answer::nothing();
    let zero = answer.bytes_at(&0_u32.to_le_bytes());
    let (data, ends) = (answer.bytes_at(b"x"), answer.bytes_at(&1_u32.to_le_bytes()));
    answer.list(1, &[0, 0, 0, zero[0], zero[1], data[0], data[1], ends[0], ends[1]], 1)
}
