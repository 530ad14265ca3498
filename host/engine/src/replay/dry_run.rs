//! Two versions of an operator on the same records, from the same state: how what they give differs, and what each costs.
//!
//! A record that a version fails on has no effect in that version, and the run goes on with the next. Nothing that the two emit goes
//! anywhere.

use super::contents::{Contents, Held, keys_of};
use super::differences::{Differences, EXAMPLES};
use super::isolated::Emitted;
use super::migrated::migrated;
use super::{IsolatedOperator, ReplayInput, Upstream};
use crate::element::{NO_TIMESTAMP, RecordBatch};
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
    /// The version that runs.
    pub old: VersionRun,
    /// The version that is to replace it.
    pub new: VersionRun,
    /// By output: those of the old version in its order, then what only the new one has.
    pub outputs: Vec<Differences<EmittedRecord>>,
    /// By state, in the same order: of the keys that the records have, and of broadcast states all entries. What the old version holds of a state
    /// that the new one has in another version is migrated.
    pub states: Vec<Differences<Held>>,
    /// Whether the two failed on the same records.
    pub failures_agree: bool,
    /// One of them failed so often that the run was ended.
    pub gave_up: bool,
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
    /// Records that it failed on, and batches that it failed on though on none of their records alone.
    pub failures: u64,
    /// The first of them.
    pub examples: Vec<FailedRecord>,
    /// Time that it took for all batches.
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

/// A record as it was emitted, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmittedRecord {
    /// Its value; `None`: it has none.
    pub value: Option<Vec<u8>>,
    /// Its event time in ms.
    pub timestamp: Option<i64>,
    /// Its headers, names and values, in order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl EmittedRecord {
    /// Record `record` of a batch.
    pub fn of(batch: &RecordBatch, record: usize) -> Self {
        let timestamp = Some(batch.timestamps()[record]).filter(|&timestamp| timestamp != NO_TIMESTAMP);
        let headers = batch.headers_of(record).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        Self { value: batch.value(record).map(<[u8]>::to_vec), timestamp, headers }
    }
}

/// Gives both versions all that `upstream` has for them, and compares.
pub async fn dry_run(
    upstream: &mut Upstream,
    (old, new): (&mut IsolatedOperator, &mut IsolatedOperator),
    clock: &dyn Clock,
) -> Result<DryRunReport, EngineError> {
    let (mut old, mut new) = (Version::new(old, clock), Version::new(new, clock));
    let mut outputs = Table::new(old.operator.output_names().into_iter().chain(new.operator.output_names()));
    let (mut records_in, mut batches, mut keys) = (0, 0, BTreeSet::new());
    while !old.has_failed_too_often()
        && !new.has_failed_too_often()
        && let Some(input) = upstream.next().await?
    {
        (records_in, batches) = (records_in + input.batch.len() as u64, batches + 1);
        if old.operator.is_keyed(input.edge) {
            keys.extend(input.batch.keys().iter().map(<[u8]>::to_vec));
        }
        compare_outputs(&mut outputs, &old.work(&input).await?, &new.work(&input).await?);
    }
    let states = compare_states(&mut old, &mut new, &keys).await?;
    let gave_up = old.has_failed_too_often() || new.has_failed_too_often();
    let failures_agree = old.failed == new.failed;
    let (old, new, outputs) = (old.trial(), new.trial(), outputs.0);
    Ok(DryRunReport { records_in, batches, old, new, outputs, states, failures_agree, gave_up })
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
}

/// What a version emitted, by output, with keys.
type ByOutput = BTreeMap<String, Vec<(Option<Vec<u8>>, EmittedRecord)>>;

impl<'a> Version<'a> {
    fn new(operator: &'a mut IsolatedOperator, clock: &'a dyn Clock) -> Self {
        operator.set_no_record_aside();
        let fuel_before = operator.fuel_spent();
        Self { operator, clock, fuel_before, batch_times: Vec::new(), failed: BTreeSet::new(), examples: Vec::new() }
    }

    /// Works a batch off: as a whole, and where that fails record by record.
    async fn work(&mut self, input: &ReplayInput) -> Result<ByOutput, EngineError> {
        let (mut taken, mut emitted) = (Duration::ZERO, ByOutput::new());
        match self.call(input.edge, &input.batch, &mut taken).await? {
            Ok(outputs) => self.collect(outputs, &mut emitted),
            Err(error) => self.one_by_one(input, &error, &mut taken, &mut emitted).await?,
        }
        self.batch_times.push(taken);
        Ok(emitted)
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
                Ok(outputs) => self.collect(outputs, emitted),
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

    fn collect(&self, emitted: Emitted, all: &mut ByOutput) {
        for (output, records) in emitted {
            let records = records.compact();
            let of_output = all.entry(self.operator.output_name(output).to_owned()).or_default();
            let keyed = |record| (records.key(record).map(<[u8]>::to_vec), EmittedRecord::of(&records, record));
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
        self.failed.len() >= FAILURES_MAX
    }

    fn trial(mut self) -> VersionRun {
        self.batch_times.sort();
        VersionRun {
            failures: self.failed.len() as u64,
            examples: self.examples,
            total: self.batch_times.iter().sum(),
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
