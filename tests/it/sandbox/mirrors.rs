//! Guests that answer whatever they are called for with bytes that the test gives them: `process` with a record's value, `on-timers` and `on-windows` with a
//! key, `merge` and `migrate` with a value that is kept. And answers that are right, to be made wrong.

use super::faults::settings;
use std::sync::Arc;
use weir_engine::operator::OperatorFactory;
use weir_engine::state::StateMerger;
use weir_engine::{Column, EngineError};
use weir_tests::sandbox::{Answer, Bench, WatGuest, engine};
use weir_wasm::{EngineMode, OnFailure, Plugin, WasmOperatorFactory};

/// What a guest is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A record of a keyed input.
    Process,
    /// A record of a broadcast input.
    Broadcast,
    /// A timer that is due.
    Timers,
    /// A record of a windowed operator.
    Gather,
    /// A window that fires.
    Windows,
    /// Two values of windows that become one.
    Merge,
    /// A value of an older version.
    Migrate,
}

/// All of them.
pub const ASKED: [Asked; 7] =
    [Asked::Process, Asked::Broadcast, Asked::Timers, Asked::Gather, Asked::Windows, Asked::Merge, Asked::Migrate];

/// One of each mirror: with all that there is without windows, and with them.
pub struct Mirrors {
    plain: Bench,
    windowed: Bench,
    merger: Arc<dyn StateMerger>,
    plugin: Plugin,
}

impl Mirrors {
    pub fn open() -> Self {
        let [plain, windowed] = [false, true].map(|windowed| {
            WatGuest::mirror_of_all(windowed).load("mirror.wasm", engine(EngineMode::Fuel)).unwrap_or_else(|error| panic!("{error}"))
        });
        let settings = || settings(OnFailure::Fail);
        let factory = WasmOperatorFactory::new(windowed.clone(), settings()).expect("no fuel is counted");
        Self {
            merger: factory.merger().expect("its states merge"),
            plain: Bench::open(plain.clone(), settings()).expect("opens"),
            windowed: Bench::open(windowed, settings()).expect("opens"),
            plugin: plain,
        }
    }

    /// What becomes of `answer`.
    pub fn ask(&mut self, asked: Asked, answer: &[u8]) -> Result<(), EngineError> {
        let mut value = Column::new();
        value.push(answer);
        match asked {
            Asked::Process => self.plain.run_bytes("a", answer),
            Asked::Broadcast => self.plain.run_broadcast(answer),
            Asked::Timers => self.plain.fire_timer(answer),
            Asked::Gather => self.windowed.run_bytes("a", answer),
            Asked::Windows => self.windowed.fire_window(answer),
            Asked::Merge => self.merger.merge(0, &value, &value).map(drop),
            Asked::Migrate => self.plugin.migrate(0, 1, &value, &super::faults::limits()).map(drop),
        }
    }

    /// Forgets what has come out.
    pub fn take(&mut self) {
        self.plain.take();
        self.windowed.take();
    }
}

impl Asked {
    /// An answer that is right, and has all that it may have.
    pub fn right(self) -> Answer {
        let (answer, by_key) = match self {
            Self::Process => (outputs(Answer::nothing(), true), true),
            Self::Broadcast => (rules(outputs(Answer::nothing(), true)), false),
            Self::Timers => (outputs(Answer::nothing(), false), true),
            Self::Gather => (states(Answer::nothing(), &[2]), false),
            Self::Windows => (outputs(Answer::nothing(), false), false),
            Self::Merge | Self::Migrate => return Answer::column(&[b"one value"]),
        };
        metrics(if by_key { timers(states(answer, &[2, 5])) } else { answer })
    }

    /// Where errors of it begin.
    pub fn place(self) -> &'static str {
        match self {
            Self::Process | Self::Broadcast | Self::Timers | Self::Gather | Self::Windows => "operator \"shaky\" subtask 0",
            Self::Merge => "merge state \"value\" of plugin \"hostile\"",
            Self::Migrate => "migrate state \"value\" of plugin \"hostile\" from version 1",
        }
    }

    /// It answers with effects, not with values.
    pub fn has_effects(self) -> bool {
        !matches!(self, Self::Merge | Self::Migrate)
    }
}

/// A record that is made, and where they may, those that pass in an output before it.
fn outputs(mut answer: Answer, passes: bool) -> Answer {
    let bit = answer.bytes_at(&[1]);
    let (zero, one, time) = (answer.integers_at(&[0]), answer.integers_at(&[1]), answer.integers_at(&[5, 0]));
    let [value, none, name, told] = [&b"v"[..], b"", b"h", b"1"].map(|item| answer.column_at(&[item]));
    let mut passing = vec![1, bit[0], bit[1]];
    passing.resize(30, 0);
    let parts: [&[u32]; 12] =
        [&[0, 0, 0], &zero, &value, &[0, 0], &none, &zero, &[1], &one, &name, &told, &time, if passes { &passing } else { &[] }];
    answer.list(0, &parts.concat(), 1 + u32::from(passes))
}

/// Changes of a value, of a list, and of these maps.
fn states(mut answer: Answer, maps: &[u32]) -> Answer {
    let (zero, count, many) = (answer.integers_at(&[0]), answer.integers_at(&[1, 0]), answer.integers_at(&[9, 0]));
    let [value, entry, other] = [&b"v"[..], b"e", b"f"].map(|item| answer.column_at(&[item]));
    let map = |number: &u32| [&[*number][..], &zero, &zero, &entry, &zero, &other, &value].concat();
    let list = [&[1][..], &zero, &zero, &count, &zero, &many, &zero, &value].concat();
    let answer = answer.list(1, &[&[0, 0, 0][..], &zero, &value].concat(), 1).list(2, &list, 1);
    answer.list(3, &maps.iter().flat_map(map).collect::<Vec<_>>(), maps.len() as u32)
}

/// A read that counts, and both timers.
fn timers(mut answer: Answer) -> Answer {
    let (zero, soon, late) = (answer.integers_at(&[0]), answer.integers_at(&[7, 0]), answer.integers_at(&[9, 0]));
    let timer = |number: u32| [&[number][..], &zero, &soon, &zero, &late].concat();
    answer.list(5, &[4, zero[0], zero[1]], 1).list(6, &[timer(0), timer(1)].concat(), 2)
}

/// Changes of the broadcast state.
fn rules(mut answer: Answer) -> Answer {
    let [removed, put, value] = [&b"a"[..], b"b", b"1"].map(|item| answer.column_at(&[item]));
    answer.list(4, &[&[3, 1][..], &removed, &put, &value].concat(), 1)
}

fn metrics(mut answer: Answer) -> Answer {
    let name = answer.bytes_at(b"rows");
    answer.list(7, &[name[0], name[1], 1, 0], 1)
}
