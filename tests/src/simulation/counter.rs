//! What the second stage of simulated jobs does: it counts, with or without windows and timers, or joins.

use super::clocked::ClockedFactory;
use super::guest::Guest;
use super::join::JoinFactory;
use super::kept::Kept;
use super::living::LivingFactory;
use super::operators::Faults;
use super::source;
use super::speaking::{self, Speaking, SpeakingFactory};
use super::timed::TimedFactory;
use super::windowed::{self, WindowedFactory};
use super::{CountFactory, Scenario};
use std::sync::Arc;
use weir_engine::OperatorFactory;
use weir_engine::runtime::Simulator;
use weir_engine::state::WindowSettings;

/// What counts the records of each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// An operator in the host's language.
    Native,
    /// The same, which forgets a key that it has counted up to three.
    Forgetful,
    /// The same, which looks besides whether states with a time to live are there for as long as they should.
    Living,
    /// A guest does, in a sandbox.
    Guest(Guest),
    /// Records are counted by windows of event time, which timers close.
    Timed,
    /// Records are gathered for some ms of the clock, until timers.
    Clocked,
    /// Records are counted by windows of event time, which the engine opens and closes.
    Windowed,
    /// The same, by sessions.
    Sessions,
    /// Windows fire early, late records come, and what was said is corrected.
    Speaking(Speaking),
    /// Nothing is counted: two inputs are joined, under rules that are broadcast.
    Join,
    /// The same, where two records of one window make a pair.
    WindowedJoin,
}

impl Counter {
    /// The value of record `number`: itself, or poison.
    pub fn value(self, number: u64) -> String {
        match (self, number % 13) {
            (Self::Guest(Guest::Poisoned), 5) => format!("{}:{number}", ["trap", "fail", "panic", "divide"][(number / 13 % 4) as usize]),
            _ => number.to_string(),
        }
    }

    /// The time of record `number`.
    pub fn time(self) -> fn(u64) -> i64 {
        match self {
            Self::Speaking(_) => speaking::now_and_then_late,
            Self::Guest(guest) => guest.time(),
            Self::Native
            | Self::Forgetful
            | Self::Living
            | Self::Timed
            | Self::Clocked
            | Self::Windowed
            | Self::Sessions
            | Self::Join
            | Self::WindowedJoin => source::in_order,
        }
    }

    /// Up to which number each key is counted before it begins anew.
    pub fn up_to(self) -> u64 {
        if self == Self::Forgetful { 3 } else { u64::MAX }
    }

    /// True where sources make watermarks, and read their splits in turn.
    pub(super) fn goes_by_time(self) -> bool {
        match self {
            Self::Living | Self::Timed | Self::Windowed | Self::Sessions | Self::Speaking(_) | Self::WindowedJoin => true,
            Self::Guest(guest) => guest.goes_by_time(),
            Self::Native | Self::Forgetful | Self::Clocked | Self::Join => false,
        }
    }

    /// True where it takes records that come too late, and says so.
    pub(super) fn takes_late_records(self) -> bool {
        self.speaking().is_some()
    }

    /// The windows that speak more than once.
    pub(super) fn speaking(self) -> Option<Speaking> {
        match self {
            Self::Speaking(of) | Self::Guest(Guest::Speaking(of)) => Some(of),
            _ => None,
        }
    }

    /// The windows that the job puts records into.
    pub(super) fn windows(self, simulator: &Simulator) -> Option<WindowSettings> {
        match self {
            Self::Windowed | Self::WindowedJoin => Some(windowed::tumbling()),
            Self::Sessions => Some(windowed::sessions()),
            Self::Speaking(speaking) => Some(speaking.settings(simulator)),
            Self::Guest(guest) => guest.windows(simulator),
            Self::Native | Self::Forgetful | Self::Living | Self::Timed | Self::Clocked | Self::Join => None,
        }
    }

    /// True where what it emits are counts of keys, and its state at the end is these.
    pub(super) fn counts_keys(self) -> bool {
        match self {
            Self::Guest(guest) => guest.counts_keys(),
            Self::Native | Self::Forgetful | Self::Living => true,
            Self::Timed | Self::Clocked | Self::Windowed | Self::Sessions | Self::Speaking(_) | Self::Join | Self::WindowedJoin => false,
        }
    }

    /// In a job of this scenario.
    pub(super) fn factory(self, simulator: &Simulator, scenario: Scenario) -> Arc<dyn OperatorFactory> {
        let waits = scenario.outbox.is_some() || scenario.state_faults.is_some();
        match self {
            // Nothing keeps it waiting.
            Self::Clocked if !waits => ClockedFactory::prompt(Faults::new(simulator.clone(), scenario.failures)),
            _ => self.keeping(Kept::USUAL, simulator, scenario.failures),
        }
    }

    /// Which keeps its states so. Guests, and joins without windows, keep them as ever.
    pub(super) fn keeping(self, kept: Kept, simulator: &Simulator, failures: Option<u64>) -> Arc<dyn OperatorFactory> {
        let faults = Faults::new(simulator.clone(), failures);
        match self {
            Self::Native | Self::Forgetful => CountFactory::new(faults, self.up_to(), kept),
            Self::Living => LivingFactory::new(faults, kept),
            Self::Join => JoinFactory::new(simulator.clone(), failures),
            Self::WindowedJoin => JoinFactory::in_windows(simulator.clone(), failures, kept),
            Self::Windowed | Self::Sessions => WindowedFactory::new(faults, kept),
            Self::Speaking(_) => SpeakingFactory::new(faults, kept),
            Self::Timed => TimedFactory::new(faults, kept),
            Self::Clocked => ClockedFactory::new(faults, kept),
            Self::Guest(guest) => guest.factory(),
        }
    }
}
