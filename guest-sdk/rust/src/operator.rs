//! What an author implements, and what an operator declares of its inputs and outputs.

use crate::context::{Context, Record};
use crate::error::{Error, Result};
use crate::migrate::OldValue;
use crate::state::States;
use crate::timers::{FiredTimer, Timer};
use crate::windows::FiredWindow;
use serde::de::DeserializeOwned;

/// An operator: a function from records and the state of their keys to records and new state.
///
/// One value of it serves one subtask. The host may replace it by a new one between any two batches, so fields are only a
/// cache: what must survive is kept in [`Operator::States`]. The same records and state must give the same results, however
/// the records are cut into batches; there is no clock and no chance but what [`Context`] and [`Subtask`] hand in.
pub trait Operator: Sized {
    /// The operator's name, as `weir plugin inspect` shows it.
    const NAME: &'static str;
    /// Its version; `env!("CARGO_PKG_VERSION")` is a good choice.
    const VERSION: &'static str;
    /// What records come from, in the order in which the job file lists its `inputs`; [`Record::input`] tells them apart.
    const INPUTS: &'static [Input] = &[Input::MAIN];
    /// Where records go. The first is the main output; [`Context::to`] reaches the others.
    const OUTPUTS: &'static [Output] = &[Output::MAIN];

    /// Timers that may be set for keys by [`Context::timers`], and fire by [`Operator::on_timer`].
    const TIMERS: &'static [Timer] = &[];

    /// The job file gives the operator windows, `[operator.ID] window`, and it keeps its state by key and window. [`Operator::process`] then changes the state of
    /// the record's window and does nothing else; [`Operator::on_window`] reads it and emits. It has no [`Operator::TIMERS`]: with one it does not compile.
    ///
    /// ```compile_fail
    /// # use weir_guest::prelude::*;
    /// struct Both;
    ///
    /// impl Operator for Both {
    ///     const WINDOWED: bool = true;
    ///     const TIMERS: &'static [Timer] = &[Timer::event("due")];
    /// #   const NAME: &'static str = "both";
    /// #   const VERSION: &'static str = "1";
    /// #   type Config = Empty;
    /// #   type States = ();
    /// #   fn open(_: Empty, _: &Setup) -> Result<Self> { Ok(Self) }
    /// #   fn process(&mut self, _: Record<'_>, _: &mut Context<'_, Self>) -> Result<()> { Ok(()) }
    /// }
    /// # let _ = weir_guest::testing::TestHost::<Both>::open("{}");
    /// ```
    const WINDOWED: bool = false;

    /// What the job file's `config` holds, which is a JSON object. [`Empty`] for an operator without settings.
    type Config: DeserializeOwned;
    /// The states: a struct with `#[derive(States)]`, or `()`.
    type States: States;

    /// Makes the operator. An error fails the job with its message.
    fn open(config: Self::Config, setup: &Setup) -> Result<Self>;

    /// Works one record off. After an error the whole batch had no effect and the record stands named: the job fails or
    /// quarantines it, as its file says.
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()>;

    /// Works one timer off that is due: its key's state is shown, and what is emitted has its key and the time that it was set to. Timers of a key
    /// come in the order of their times, and of one time only in a call. It is gone when this is called, and may be set anew. After an error
    /// the whole call had no effect and the timer stands named: the job fails, or removes and quarantines it, as its file says.
    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let _ = ctx;
        Err(Error::new(format_args!("{} declares the timer `{}` and has no `on_timer`", Self::NAME, fired.timer().name())))
    }

    /// Works one window of a key off that fires, in a [windowed](Operator::WINDOWED) operator: the window's state is shown, to be read and not to be changed, and
    /// what is emitted has the key and the window's last ms as its time; of windows without bounds the largest time that their records had. A window may
    /// fire more than once, as [`FiredWindow::reason`] and [`FiredWindow::revision`] say. After an error the whole call had no effect and the
    /// window stands named: the job fails, or quarantines it and drops its state, as its file says.
    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let _ = (firing, ctx);
        Err(Error::new(format_args!("{} is windowed and has no `on_window`", Self::NAME)))
    }

    /// Brings one value of an older version of the state `state` to the version that is declared by `#[state(version = …)]`: a value, an item of a
    /// list, the value of an entry of a map or of broadcast state.
    ///
    /// All values of a state are migrated when a job goes on from a checkpoint that holds an older version, before the first record. There is no
    /// operator and no host then: the new value follows from the old one alone. An error, a panic and a value too many or too
    /// few fail the job, which can go on from its checkpoint with the component that it had.
    fn migrate(state: &str, from_version: u32, value: OldValue<'_>) -> Result<Vec<u8>> {
        let _ = (state, from_version);
        value.unknown()
    }
}

/// What an operator is told when it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// For each input what its source says of the records (csv: the header row), where a source feeds it directly.
    pub schemas: Vec<Option<String>>,
    /// Which part of the operator this is.
    pub subtask: Subtask,
}

impl Setup {
    /// The schema of an input by its number.
    pub fn schema(&self, input: u32) -> Option<&str> {
        self.schemas.get(input as usize)?.as_deref()
    }
}

/// The configuration of an operator without settings: an empty object. A setting that is given all the same is refused by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// One of the parallel parts of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtask {
    /// From 0.
    pub index: u32,
    /// How many there are.
    pub parallelism: u32,
    /// Fixed for the operator and subtask: seeds chance that a replay repeats.
    pub seed: u64,
}

impl Default for Subtask {
    fn default() -> Self {
        Self { index: 0, parallelism: 1, seed: 0 }
    }
}

/// The name and version of a record type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSchema {
    /// The author's name of the type.
    pub id: &'static str,
    /// Its version.
    pub version: u32,
}

/// How the records of an input have to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partitioning {
    Any,
    ByKey,
    Broadcast,
}

/// A declared input, and the handle by which its records are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    pub(crate) name: &'static str,
    pub(crate) accepts: &'static [RecordSchema],
    pub(crate) partitioning: Partitioning,
}

impl Input {
    /// The only input of most operators: `in`, which accepts anything.
    pub const MAIN: Self = Self::new("in");

    /// An input that accepts anything.
    pub const fn new(name: &'static str) -> Self {
        Self { name, accepts: &[], partitioning: Partitioning::Any }
    }

    /// The same input, for these record types alone.
    pub const fn accepts(self, accepts: &'static [RecordSchema]) -> Self {
        Self { accepts, ..self }
    }

    /// The same input, of records that every subtask is given, `by = "broadcast"` in the job file: they may change
    /// [`BroadcastState`](crate::BroadcastState), and bring no state by key.
    pub const fn broadcast(self) -> Self {
        Self { partitioning: Partitioning::Broadcast, ..self }
    }

    /// The same input, of records that are distributed by key, `by = "key"` in the job file: each brings its key's state. A job that feeds it
    /// otherwise is refused.
    pub const fn by_key(self) -> Self {
        Self { partitioning: Partitioning::ByKey, ..self }
    }

    pub(crate) const fn is_broadcast(self) -> bool {
        matches!(self.partitioning, Partitioning::Broadcast)
    }
}

/// A declared output, and the handle by which records are sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    pub(crate) name: &'static str,
    pub(crate) schema: Option<RecordSchema>,
}

impl Output {
    /// The only output of most operators: `out`.
    pub const MAIN: Self = Self::new("out");

    /// An output whose records are not described. The names `quarantine` and `late` are the host's.
    pub const fn new(name: &'static str) -> Self {
        Self { name, schema: None }
    }

    /// The same output with a description of its records.
    pub const fn schema(self, id: &'static str, version: u32) -> Self {
        Self { schema: Some(RecordSchema { id, version }), ..self }
    }
}
