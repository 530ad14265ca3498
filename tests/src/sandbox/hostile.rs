//! Ways to misbehave, and the places where the host enters a guest: each way at each place is a hostile guest.

use super::answer::Answer;
use super::wat::WatGuest;

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
    /// In `_initialize`, where a language's runtime is started.
    Initialize,
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
    /// In `cabi_post_…` of this export, when the host has read its answer.
    Behind(&'static Place),
}

/// All places.
pub const PLACES: [Place; 17] = [
    Place::Start,
    Place::Initialize,
    Place::Realloc,
    Place::Describe,
    Place::Open,
    Place::Process,
    Place::OnTimers,
    Place::OnWindows,
    Place::Merge,
    Place::Migrate,
    Place::Behind(&Place::Describe),
    Place::Behind(&Place::Open),
    Place::Behind(&Place::Process),
    Place::Behind(&Place::OnTimers),
    Place::Behind(&Place::OnWindows),
    Place::Behind(&Place::Merge),
    Place::Behind(&Place::Migrate),
];

impl Place {
    /// The same place, or the export that it is behind.
    pub fn entered(self) -> Self {
        match self {
            Self::Behind(export) => *export,
            place => place,
        }
    }

    /// The export of the world that it is in or behind.
    pub fn export(self) -> Option<&'static str> {
        match self.entered() {
            Self::Describe => Some("describe"),
            Self::Open => Some("open"),
            Self::Process => Some("process"),
            Self::OnTimers => Some("on-timers"),
            Self::OnWindows => Some("on-windows"),
            Self::Merge => Some("merge"),
            Self::Migrate => Some("migrate"),
            Self::Start | Self::Initialize | Self::Realloc | Self::Behind(_) => None,
        }
    }

    /// A guest that calls `$bad` of the items `bad` there, every time.
    pub fn guest(self, bad: &str) -> WatGuest {
        const CALL: &str = "(call $bad)";
        let calm = match self.entered() {
            Self::OnTimers => WatGuest::default().answering(&sets_a_timer()),
            Self::OnWindows | Self::Merge => WatGuest::windowed().answering(&sets_a_value()),
            _ => WatGuest::default(),
        };
        let guest = calm.with(bad);
        match (self, self.export()) {
            (Self::Start, _) => guest.with("(start $bad)"),
            (Self::Initialize, _) => guest.with("(func (export \"_initialize\") (call $bad))"),
            (Self::Behind(_), Some(export)) => guest.behind(export, CALL),
            (_, Some(export)) => guest.before(export, CALL),
            (_, None) => guest.in_realloc(CALL),
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

/// A guest that keeps a value of so many bytes of the first key of each batch.
pub fn huge_value(bytes: u32) -> WatGuest {
    let mut answer = Answer::nothing();
    let zero = answer.bytes_at(&0_u32.to_le_bytes());
    let ends = answer.bytes_at(&bytes.to_le_bytes());
    // What its memory is filled with does not matter.
    let data = [0, bytes];
    let answer = answer.list(1, &[0, 0, 0, zero[0], zero[1], data[0], data[1], ends[0], ends[1]], 1);
    // Room for two of them: one is handed in.
    WatGuest::default().pages(64 + 2 * bytes.div_ceil(1 << 16)).answering(&answer)
}

/// A guest whose every call of `process` goes around a loop so often.
pub fn drip(turns: u64) -> WatGuest {
    let code = format!(
        "(func $drip (local $n i64) (loop $on (br_if $on (i64.lt_u (local.tee $n (i64.add (local.get $n) (i64.const 1))) (i64.const {turns})))))"
    );
    WatGuest::default().with(&code).before("process", "(call $drip)")
}
