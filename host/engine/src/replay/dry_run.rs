//! Two versions of an operator on the same records, from the same state: how what they give differs, and what each costs.
//!
//! A record that a version fails on has no effect in that version, and the run goes on with the next. A timer or a window that it fails on is gone, as in a
//! job that sets it aside. Nothing that the two emit goes anywhere.

use super::contents::{Contents, Held, keys_of};
use super::differences::{Differences, EXAMPLES};
use super::effects::{EmittedRecord, OutputRecord, outputs};
use super::isolated::Emitted;
use super::migrated::migrated;
use super::{Fired, FiredBy, Given, IsolatedOperator, ReplayInput, Upstream};
use crate::element::RecordBatch;
use crate::error::EngineError;
use crate::runtime::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Failures of one version after which the run ends: each may take as long as a call may.
const FAILURES_MAX: usize = 100;

/// What a dry run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct DryRunReport {
    /// Records that both were given.
    pub records_in: u64,
    /// In so many batches.
    pub batches: u64,
    /// How far event time came, ms; `None`: nothing in front of the operator says.
    pub watermark: Option<i64>,
    /// The version that runs.
    pub old: VersionRun,
    /// The version that is to replace it.
    pub new: VersionRun,
    /// By output: those of the old version in its order, then what only the new one has.
    pub outputs: Vec<Differences<EmittedRecord>>,
    /// By state, in the same order: of the keys that the records have, and of broadcast states all entries. What the old version holds of a state
    /// that the new one has in another version is migrated.
    pub states: Vec<Differences<Held>>,
    /// Whether the two failed on the same records, timers and windows.
    pub failures_agree: bool,
    /// One of them failed so often that the run was ended.
    pub gave_up: bool,
    /// Sources that were left because they gave nothing for long, though they may have more.
    pub stalled: Vec<String>,
}

impl DryRunReport {
    /// True where the two did the same with every record.
    pub fn agrees(&self) -> bool {
        self.failures_agree && self.outputs.iter().all(Differences::is_empty) && self.states.iter().all(Differences::is_empty)
    }
}

/// How one version fared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VersionRun {
    /// Records that it failed on, and batches that it failed on though on none of their records alone; and timers and windows.
    pub failures: u64,
    /// The first of the records and batches.
    pub examples: Vec<FailedRecord>,
    /// Windows that fired.
    pub windows: u64,
    /// Timers that fired.
    pub timers: u64,
    /// The first of both.
    pub fired: Vec<FiredExample>,
    /// Time that it took for all batches, and for what fired.
    pub total: Duration,
    /// Time that it took for the median batch.
    pub batch_median: Duration,
    /// The same in fuel, where that is counted.
    pub fuel: Option<u64>,
}

/// A record that a version failed on.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedRecord {
    /// Number of the batch.
    pub batch: u64,
    /// Which of its records; `None`: the batch failed, its records one by one did not.
    pub record: Option<RecordOfBatch>,
    /// What the version said.
    pub message: String,
}

/// A timer or a window that fired.
#[derive(Clone, Debug, PartialEq)]
pub struct FiredExample {
    /// Which it is.
    pub fired: Fired,
    /// What it emitted; nothing where that stands with the record that caused it.
    pub outputs: Vec<OutputRecord>,
    /// What the version said that failed on it.
    pub error: Option<String>,
}

/// A record where it stands in its batch.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordOfBatch {
    /// Its place.
    pub place: usize,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

/// Gives both versions all that `upstream` has for them, and compares.
pub async fn dry_run(
    upstream: &mut Upstream,
    (old, new): (&mut IsolatedOperator, &mut IsolatedOperator),
    clock: &dyn Clock,
) -> Result<DryRunReport, EngineError> {
    let (mut old, mut new) = (Version::new(old, clock), Version::new(new, clock));
    let mut outputs = Table::new(old.operator.output_names().into_iter().chain(new.operator.output_names()));
    let (mut records_in, mut batches, mut keys, mut watermark) = (0, 0, BTreeSet::new(), None);
    // What was due at the restore.
    compare_outputs(&mut outputs, &old.fire(&mut keys).await?, &new.fire(&mut keys).await?);
    while !old.has_failed_too_often()
        && !new.has_failed_too_often()
        && let Some(given) = upstream.next().await?
    {
        match given {
            Given::Records(input) => {
                (records_in, batches) = (records_in + input.batch.len() as u64, batches + 1);
                if old.operator.is_keyed(input.edge) {
                    keys.extend(input.batch.keys().iter().map(<[u8]>::to_vec));
                }
                compare_outputs(&mut outputs, &old.work(&input).await?, &new.work(&input).await?);
            }
            Given::Watermark(to) => {
                watermark = Some(to);
                old.operator.begin_watermark(to);
                new.operator.begin_watermark(to);
            }
        }
        compare_outputs(&mut outputs, &old.fire(&mut keys).await?, &new.fire(&mut keys).await?);
    }
    let states = compare_states(&mut old, &mut new, &keys).await?;
    let gave_up = old.has_failed_too_often() || new.has_failed_too_often();
    let failures_agree = old.failed == new.failed && old.failed_firings == new.failed_firings;
    let (old, new, outputs) = (old.trial(), new.trial(), outputs.0);
    let stalled = upstream.stalled();
    Ok(DryRunReport { records_in, batches, watermark, old, new, outputs, states, failures_agree, gave_up, stalled })
}

/// One version at work.
struct Version<'a> {
    operator: &'a mut IsolatedOperator,
    clock: &'a dyn Clock,
    fuel_before: Option<u64>,
    batch_times: Vec<Duration>,
    /// By batch, the places of the records that it failed on.
    failed: BTreeSet<(u64, Option<usize>)>,
    examples: Vec<FailedRecord>,
    /// What fired, and it failed on.
    failed_firings: Vec<Fired>,
    fired: FiredCounts,
    /// Time for what fired.
    fired_time: Duration,
}

#[derive(Default)]
struct FiredCounts {
    windows: u64,
    timers: u64,
    examples: Vec<FiredExample>,
}

/// What a version emitted, by output, with keys.
type ByOutput = BTreeMap<String, Vec<(Option<Vec<u8>>, EmittedRecord)>>;

impl<'a> Version<'a> {
    fn new(operator: &'a mut IsolatedOperator, clock: &'a dyn Clock) -> Self {
        operator.set_no_record_aside();
        let fuel_before = operator.fuel_spent();
        let (batch_times, failed, examples, failed_firings, fired, fired_time) = Default::default();
        Self { operator, clock, fuel_before, batch_times, failed, examples, failed_firings, fired, fired_time }
    }

    /// Works a batch off: as a whole, and where that fails record by record.
    async fn work(&mut self, input: &ReplayInput) -> Result<ByOutput, EngineError> {
        let (mut taken, mut emitted) = (Duration::ZERO, ByOutput::new());
        match self.call(input.edge, &input.batch, &mut taken).await? {
            Ok(outputs) => self.take_in(outputs, &mut emitted),
            Err(error) => self.one_by_one(input, &error, &mut taken, &mut emitted).await?,
        }
        self.batch_times.push(taken);
        Ok(emitted)
    }

    /// Lets all that is due fire, each in a call of its own. One that the version fails on is gone, as where a job sets it aside.
    async fn fire(&mut self, keys: &mut BTreeSet<Vec<u8>>) -> Result<ByOutput, EngineError> {
        let mut all = ByOutput::new();
        while !self.has_failed_too_often()
            && let Some(call) = self.operator.next_call()?
        {
            let began = self.clock.now();
            let made = self.operator.make(&call).await;
            self.fired_time += self.clock.now().saturating_sub(began);
            let fired = self.operator.take_fired();
            keys.extend(fired.iter().map(|fired| fired.key.clone()));
            let by = fired.into_iter().next();
            match (made, &by) {
                (Ok(emitted), _) => {
                    self.note_fired(by.as_ref(), Ok(&emitted));
                    self.collect(emitted, by.as_ref(), &mut all);
                }
                (Err(error), Some(_)) => {
                    self.note_fired(by.as_ref(), Err(&error));
                    self.operator.set_aside(&call).await?;
                }
                (Err(error), None) => return Err(error),
            }
        }
        Ok(all)
    }

    fn note_fired(&mut self, fired: Option<&Fired>, made: Result<&Emitted, &EngineError>) {
        let Some(fired) = fired.cloned() else { return };
        match fired.by {
            FiredBy::Window { .. } => self.fired.windows += 1,
            FiredBy::Timer { .. } => self.fired.timers += 1,
        }
        if made.is_err() {
            self.failed_firings.push(fired.clone());
        }
        if self.fired.examples.len() < EXAMPLES {
            let (outputs, error) = match made {
                Ok(emitted) => (outputs(self.operator, emitted), None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            self.fired.examples.push(FiredExample { fired, outputs, error });
        }
    }

    async fn one_by_one(
        &mut self,
        input: &ReplayInput,
        of_batch: &EngineError,
        taken: &mut Duration,
        emitted: &mut ByOutput,
    ) -> Result<(), EngineError> {
        let failed_before = self.failed.len();
        for record in 0..input.batch.len() {
            if self.has_failed_too_often() {
                return Ok(());
            }
            match self.call(input.edge, &Arc::new(input.batch.slice(record..record + 1)), taken).await? {
                Ok(outputs) => self.take_in(outputs, emitted),
                Err(error) => self.note(input, Some(record), &error),
            }
        }
        if self.failed.len() == failed_before {
            self.note(input, None, of_batch);
        }
        Ok(())
    }

    async fn call(
        &mut self,
        edge: usize,
        batch: &Arc<RecordBatch>,
        taken: &mut Duration,
    ) -> Result<Result<Emitted, EngineError>, EngineError> {
        let before = self.operator.contents_of(edge, batch).await?;
        let began = self.clock.now();
        let done = self.operator.try_process(edge, batch, &before).await?;
        *taken += self.clock.now().saturating_sub(began);
        Ok(done)
    }

    /// What came of records: counts that they have filled fired in their call.
    fn take_in(&mut self, emitted: Emitted, all: &mut ByOutput) {
        for fired in self.operator.take_fired() {
            self.note_fired(Some(&fired), Ok(&Emitted::new()));
        }
        self.collect(emitted, None, all);
    }

    fn collect(&self, emitted: Emitted, by: Option<&Fired>, all: &mut ByOutput) {
        for (output, records) in emitted {
            let records = records.compact();
            let of_output = all.entry(self.operator.output_name(output).to_owned()).or_default();
            let emitted = |record| EmittedRecord { by: by.cloned(), ..EmittedRecord::of(&records, record) };
            let keyed = |record| (records.key(record).map(<[u8]>::to_vec), emitted(record));
            of_output.extend((0..records.len()).map(keyed));
        }
    }

    fn note(&mut self, input: &ReplayInput, record: Option<usize>, error: &EngineError) {
        self.failed.insert((input.number, record));
        if self.examples.len() < EXAMPLES {
            let batch = &input.batch;
            let of =
                |place| RecordOfBatch { place, key: batch.key(place).map(<[u8]>::to_vec), value: batch.value(place).map(<[u8]>::to_vec) };
            let record = record.map(of);
            self.examples.push(FailedRecord { batch: input.number, record, message: error.to_string() });
        }
    }

    fn has_failed_too_often(&self) -> bool {
        self.failed.len() + self.failed_firings.len() >= FAILURES_MAX
    }

    fn trial(mut self) -> VersionRun {
        self.batch_times.sort();
        VersionRun {
            failures: (self.failed.len() + self.failed_firings.len()) as u64,
            examples: self.examples,
            windows: self.fired.windows,
            timers: self.fired.timers,
            fired: self.fired.examples,
            total: self.batch_times.iter().sum::<Duration>() + self.fired_time,
            batch_median: self.batch_times.get(self.batch_times.len() / 2).copied().unwrap_or_default(),
            fuel: self.operator.fuel_spent().map(|fuel| fuel - self.fuel_before.unwrap_or(0)),
        }
    }
}

/// Differences by name, in the order in which the names were given first.
struct Table<T>(Vec<Differences<T>>);

impl<T: Clone + PartialEq> Table<T> {
    fn new(names: impl Iterator<Item = String>) -> Self {
        let mut table = Self(Vec::new());
        names.for_each(|name| _ = table.of(&name));
        table
    }

    fn of(&mut self, name: &str) -> &mut Differences<T> {
        let place = self.0.iter().position(|differences| differences.name == name).unwrap_or_else(|| {
            self.0.push(Differences::of(name));
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}

fn compare_outputs(outputs: &mut Table<EmittedRecord>, old: &ByOutput, new: &ByOutput) {
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let of = |all: &'_ ByOutput| all.get(name).cloned().unwrap_or_default();
        outputs.of(name).compare_by_key(&of(old), &of(new));
    }
}

/// What the two hold in the end. States are the same where their names are; where their versions are not, what the old version holds is migrated: the
/// new one would begin with that.
async fn compare_states(
    old: &mut Version<'_>,
    new: &mut Version<'_>,
    keys: &BTreeSet<Vec<u8>>,
) -> Result<Vec<Differences<Held>>, EngineError> {
    let names = |version: &Version<'_>| version.operator.states().iter().map(|state| state.name.clone()).collect::<Vec<_>>();
    let (old_names, new_names) = (names(old), names(new));
    let mut states = Table::new(old_names.iter().chain(&new_names).cloned());
    let all: Vec<String> = states.0.iter().map(|differences| differences.name.clone()).collect();
    // Both in the numbers of the table.
    let numbered = |contents: Contents, names: &[String]| -> Contents {
        let place = |number: usize| all.iter().position(|name| *name == names[number]).expect("every name is in the table");
        contents.into_iter().map(|((number, key), held)| ((place(number), key), held)).collect()
    };
    let held = migrated(old.operator.contents(keys).await?, old.operator.states(), new.operator)?;
    let old = numbered(held, &old_names);
    let new = numbered(new.operator.contents(keys).await?, &new_names);
    for state_key in keys_of(&old, &new) {
        let (number, key) = state_key;
        states.0[*number].compare(Some(key), old.get(state_key), new.get(state_key));
    }
    Ok(states.0)
}
