//! The scenarios that tests and the command that runs seeds without end have in common.

use super::{Barriers, Counter, Guest, Scenario, Speaking, TimedBy};
use weir_engine::state::conformance::StateFaultPlan;
use weir_engine::storage::FaultPlan;

/// Nothing goes wrong.
pub const CALM: Scenario = Scenario {
    records: 1_500,
    per_second: 2_000.0,
    keys: 20,
    counted_keys: 7,
    failures: None,
    faults: FaultPlan::NONE,
    crash_within_polls: 0,
    max_concurrent: 1,
    barriers: Barriers::Aligned,
    retain: 2,
    counter: Counter::Native,
    timed_by: TimedBy::Source,
    record: false,
    max_call_log_bytes: u64::MAX,
    outbox: None,
    state_faults: None,
};

/// A state backend that waits in every other call, and fails now and then.
pub const FAULTY_STATE: StateFaultPlan = StateFaultPlan { slow: 500, slow_ms: 20, prefetch: 3, failed: 1 };

/// Everything goes wrong at once.
pub const STORMY: Scenario =
    Scenario { failures: Some(400), faults: FaultPlan::STORM, crash_within_polls: 3_000, max_concurrent: 3, ..CALM };

/// Many keys of which each checkpoint changes some, and which come and go: what is restored is mostly pieced together from deltas.
pub const INCREMENTAL: Scenario = Scenario { records: 3_000, keys: 600, counted_keys: 600, counter: Counter::Forgetful, ..CALM };

/// The sink has an outbox, and its target fails as the storage does: requests arrive when nobody waits for them any more.
pub const PUBLISHING: Scenario =
    Scenario { outbox: Some(FaultPlan { torn: 0, stale: 0, ..FaultPlan::STORM }), crash_within_polls: 4_000, ..STORMY };

/// Checkpoints that are kept where none is to be deleted.
pub const EVERY: usize = 1_000_000;

/// Everything goes wrong at once, and barriers overtake.
pub const OVERTAKING: Scenario = Scenario { barriers: Barriers::ExactlyOnce, ..STORMY };

/// States with a time to live, of many keys, each of which comes a few times.
pub const LIVING: Scenario = Scenario { counter: Counter::Living, ..TIMED_INCREMENTS };

/// Timers of as many keys.
pub const TIMED_INCREMENTS: Scenario = Scenario {
    counter: Counter::Timed,
    barriers: Barriers::ExactlyOnce,
    failures: Some(600),
    crash_within_polls: 10_000,
    faults: FaultPlan::STORM,
    max_concurrent: 3,
    ..INCREMENTAL
};

/// Windows that speak more than once, and records that are late.
pub const fn speaking(of: Speaking, scenario: Scenario) -> Scenario {
    Scenario { counter: Counter::Speaking(of), ..scenario }
}

/// The source gives no time, and an operator makes watermarks of what it emits.
pub const fn timed_by(timed_by: TimedBy, counter: Counter, scenario: Scenario) -> Scenario {
    Scenario { timed_by, counter, ..scenario }
}

/// All that is recorded of an operator that goes by time is kept.
pub const fn recorded(counter: Counter) -> Scenario {
    Scenario { counter, record: true, retain: EVERY, ..OVERTAKING }
}

/// State is in files, of a backend that waits and fails: often enough without anything else that goes wrong.
pub const fn in_files(counter: Counter) -> Scenario {
    Scenario { counter, state_faults: Some(FAULTY_STATE), barriers: Barriers::ExactlyOnce, max_concurrent: 3, ..CALM }
}

/// The same, and everything else goes wrong too.
///
/// A backend fails in one of a thousand calls, and an attempt gets on where a checkpoint completes in front of its first failure. Beside a failing store that takes half
/// a second, in which 2,000 records a second are 1,000. Windows that speak call the backend some nine times for each of them, and timers by the clock six times: one attempt
/// in 8,000 (e⁹), or in 400, gets on, and the thirty processes that are not killed make six attempts each. Of 200 records a second it is two in five. The native count gets
/// on at 2,000, as it calls the backend two or three times.
pub const fn in_files_in_a_storm(counter: Counter) -> Scenario {
    Scenario { counter, state_faults: Some(FAULTY_STATE), per_second: 200.0, crash_within_polls: 12_000, ..OVERTAKING }
}

/// A guest does what is done.
pub const fn by_guest(guest: Guest, scenario: Scenario) -> Scenario {
    Scenario { counter: Counter::Guest(guest), ..scenario }
}

/// What a run of many seeds goes through, by name.
pub static ALL: [(&str, Scenario); 84] = [
    ("aligned", STORMY),
    ("overtaking", Scenario { barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("at-least-once", Scenario { barriers: Barriers::AtLeastOnce, ..STORMY }),
    (
        "increments",
        Scenario { crash_within_polls: 12_000, failures: Some(600), faults: FaultPlan::STORM, max_concurrent: 3, retain: 1, ..INCREMENTAL },
    ),
    (
        "increments-overtaking",
        Scenario { barriers: Barriers::ExactlyOnce, crash_within_polls: 8_000, faults: FaultPlan::STORM, max_concurrent: 3, ..INCREMENTAL },
    ),
    ("join", Scenario { counter: Counter::Join, ..STORMY }),
    ("join-overtaking", Scenario { counter: Counter::Join, barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("recorded", Scenario { record: true, retain: EVERY, barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("join-recorded", Scenario { counter: Counter::Join, record: true, barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("timed", Scenario { counter: Counter::Timed, ..STORMY }),
    ("timed-overtaking", Scenario { counter: Counter::Timed, barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("timed-recorded", Scenario { counter: Counter::Timed, record: true, barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("timed-increments", TIMED_INCREMENTS),
    ("clocked", Scenario { counter: Counter::Clocked, ..STORMY }),
    ("clocked-overtaking", Scenario { counter: Counter::Clocked, ..OVERTAKING }),
    ("clocked-recorded", recorded(Counter::Clocked)),
    ("clocked-increments", Scenario { counter: Counter::Clocked, ..TIMED_INCREMENTS }),
    ("by-chained-timed", timed_by(TimedBy::ChainedOperator, Counter::Timed, STORMY)),
    ("by-chained-windowed", timed_by(TimedBy::ChainedOperator, Counter::Windowed, OVERTAKING)),
    ("by-chained-late", timed_by(TimedBy::ChainedOperator, Counter::Speaking(Speaking::Tumbling), OVERTAKING)),
    ("by-operator-timed", timed_by(TimedBy::Operator, Counter::Timed, OVERTAKING)),
    ("by-operator-sessions", timed_by(TimedBy::Operator, Counter::Sessions, STORMY)),
    ("by-operator-late", timed_by(TimedBy::Operator, Counter::Speaking(Speaking::Sessions), OVERTAKING)),
    ("by-operator-recorded", timed_by(TimedBy::Operator, Counter::Timed, recorded(Counter::Timed))),
    ("late-recorded", recorded(Counter::Speaking(Speaking::Tumbling))),
    ("late-sessions-recorded", recorded(Counter::Speaking(Speaking::Sessions))),
    ("windowed", Scenario { counter: Counter::Windowed, ..STORMY }),
    ("windowed-overtaking", Scenario { counter: Counter::Windowed, barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("windowed-recorded", Scenario { counter: Counter::Windowed, record: true, barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("sessions", Scenario { counter: Counter::Sessions, ..STORMY }),
    ("sessions-overtaking", Scenario { counter: Counter::Sessions, barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("sessions-recorded", Scenario { counter: Counter::Sessions, record: true, barriers: Barriers::ExactlyOnce, ..STORMY }),
    ("late-tumbling", speaking(Speaking::Tumbling, STORMY)),
    ("late-tumbling-overtaking", speaking(Speaking::Tumbling, OVERTAKING)),
    ("late-hopping", speaking(Speaking::Hopping, OVERTAKING)),
    ("late-sessions", speaking(Speaking::Sessions, STORMY)),
    ("late-sessions-overtaking", speaking(Speaking::Sessions, OVERTAKING)),
    ("late-at-least-once", speaking(Speaking::Tumbling, Scenario { barriers: Barriers::AtLeastOnce, ..STORMY })),
    ("counts", speaking(Speaking::Counts, OVERTAKING)),
    ("global", speaking(Speaking::Global, OVERTAKING)),
    ("by-clock", speaking(Speaking::ByClock, OVERTAKING)),
    ("living", LIVING),
    ("join-in-windows", Scenario { counter: Counter::WindowedJoin, ..STORMY }),
    ("join-in-windows-overtaking", Scenario { counter: Counter::WindowedJoin, ..OVERTAKING }),
    ("outbox-timed", Scenario { counter: Counter::Timed, ..PUBLISHING }),
    ("outbox-late-sessions", speaking(Speaking::Sessions, Scenario { barriers: Barriers::ExactlyOnce, ..PUBLISHING })),
    (
        "sessions-in-files",
        speaking(Speaking::Sessions, Scenario { state_faults: Some(StateFaultPlan { failed: 0, ..FAULTY_STATE }), ..STORMY }),
    ),
    ("clocked-at-least-once", Scenario { counter: Counter::Clocked, barriers: Barriers::AtLeastOnce, ..STORMY }),
    ("clocked-in-files", in_files(Counter::Clocked)),
    ("timed-in-files", in_files(Counter::Timed)),
    ("windowed-in-files", in_files(Counter::Windowed)),
    ("late-in-files", in_files(Counter::Speaking(Speaking::Sessions))),
    ("by-clock-in-files", in_files(Counter::Speaking(Speaking::ByClock))),
    ("join-in-windows-in-files", in_files(Counter::WindowedJoin)),
    ("clocked-in-files-in-a-storm", in_files_in_a_storm(Counter::Clocked)),
    ("timed-in-files-in-a-storm", in_files_in_a_storm(Counter::Timed)),
    ("late-in-files-in-a-storm", in_files_in_a_storm(Counter::Speaking(Speaking::Sessions))),
    ("by-clock-in-files-in-a-storm", in_files_in_a_storm(Counter::Speaking(Speaking::ByClock))),
    ("join-in-files-in-a-storm", in_files_in_a_storm(Counter::WindowedJoin)),
    ("living-in-files", Scenario { counter: Counter::Living, state_faults: Some(FAULTY_STATE), ..INCREMENTAL }),
    ("windowed-increments", Scenario { counter: Counter::Windowed, retain: 1, ..TIMED_INCREMENTS }),
    ("late-increments", Scenario { counter: Counter::Speaking(Speaking::Sessions), retain: 1, ..TIMED_INCREMENTS }),
    ("living-recorded", Scenario { record: true, ..LIVING }),
    ("by-clock-recorded", recorded(Counter::Speaking(Speaking::ByClock))),
    ("late-recordings-deleted", Scenario { retain: 2, ..recorded(Counter::Speaking(Speaking::Sessions)) }),
    ("outbox-clocked", Scenario { counter: Counter::Clocked, barriers: Barriers::ExactlyOnce, ..PUBLISHING }),
    ("outbox-late-at-least-once", speaking(Speaking::Tumbling, Scenario { barriers: Barriers::AtLeastOnce, ..PUBLISHING })),
    ("outbox-late-recorded", speaking(Speaking::Tumbling, Scenario { record: true, retain: EVERY, ..PUBLISHING })),
    ("outbox", PUBLISHING),
    ("outbox-overtaking", Scenario { barriers: Barriers::ExactlyOnce, crash_within_polls: 6_000, ..PUBLISHING }),
    ("state-in-files", Scenario { state_faults: Some(FAULTY_STATE), ..STORMY }),
    ("guest", by_guest(Guest::Count, OVERTAKING)),
    ("guest-poisoned", by_guest(Guest::Poisoned, OVERTAKING)),
    ("guest-late-tumbling", by_guest(Guest::Speaking(Speaking::Tumbling), STORMY)),
    ("guest-late-hopping", by_guest(Guest::Speaking(Speaking::Hopping), OVERTAKING)),
    ("guest-late-sessions", by_guest(Guest::Speaking(Speaking::Sessions), OVERTAKING)),
    ("guest-counts", by_guest(Guest::Speaking(Speaking::Counts), OVERTAKING)),
    ("guest-by-clock", by_guest(Guest::Speaking(Speaking::ByClock), OVERTAKING)),
    ("guest-timed", by_guest(Guest::Timed, OVERTAKING)),
    ("guest-poisoned-windows", by_guest(Guest::PoisonedWindows, OVERTAKING)),
    ("guest-poisoned-timers", by_guest(Guest::PoisonedTimers, OVERTAKING)),
    ("guest-sessions-recorded", by_guest(Guest::Speaking(Speaking::Sessions), Scenario { record: true, retain: EVERY, ..OVERTAKING })),
    ("guest-timed-recorded", by_guest(Guest::Timed, Scenario { record: true, retain: EVERY, ..OVERTAKING })),
    ("slow-store", Scenario { faults: FaultPlan { slow: 700, ..FaultPlan::NONE }, crash_within_polls: 2_500, max_concurrent: 2, ..CALM }),
];
