//! Runs a test: its steps one behind the other, up to the first that comes to something else than it says.

use super::compare::{Difference, emitted, kept};
use super::script::{Moment, Step, Test};
use crate::assemble::Alone;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use weir_engine::element::{BatchBuilder, END_OF_TIME, RecordBatch};
use weir_engine::replay::{IsolatedOperator, OutputRecord, next_firing, outputs_of};
use weir_engine::runtime::{Clock, Monotonic};
use weir_engine::state::MemoryBackendFactory;
use weir_engine::{EngineError, ErrorKind};

/// In what manner a test is run: none of them may make a difference.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Batches are cut at random, by this seed.
    pub cut_by: Option<u64>,
    /// Each call is one of a new instance.
    pub forgetful: bool,
}

impl Manner {
    /// True of the plain one, with which every test begins.
    pub fn is_first(self) -> bool {
        self.cut_by.is_none() && !self.forgetful
    }
}

/// Why a test has failed.
#[derive(Debug)]
pub struct Failing {
    /// The step's number, from 1; `None`: before the first.
    pub step: Option<usize>,
    /// What the step was.
    pub what: String,
    /// How its batch was cut, where it was: records of each part.
    pub cut: Vec<usize>,
    /// What it came to.
    pub difference: Difference,
}

/// A clock that is set by hand.
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Monotonic {
        Duration::from_millis(self.wall_ms().max(0).cast_unsigned())
    }

    fn wall_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn sleep_until(&self, _deadline: Monotonic) -> BoxFuture<'static, ()> {
        futures_util::future::pending().boxed()
    }
}

/// Runs a test of an operator. `None`: all came as it says.
pub fn run(test: &Test, alone: Alone, manner: Manner) -> Option<Failing> {
    let failing = |difference| Failing { step: None, what: "opening it".into(), cut: Vec::new(), difference };
    let mut running = match (Running::open(test, alone, manner), &test.fails) {
        (Ok(running), None) => running,
        (Ok(_), Some(wanted)) => return Some(failing(Difference::NotFailed { wanted: wanted.clone() })),
        (Err(error), wanted) => return failed(&error, wanted.as_deref()).map(failing),
    };
    test.steps.iter().enumerate().find_map(|(number, step)| {
        running.cut.clear();
        let difference = running.step(step).err()?;
        Some(Failing { step: Some(number + 1), what: name_of(step), cut: std::mem::take(&mut running.cut), difference })
    })
}

/// An error where another, or none, is wanted.
fn failed(error: &EngineError, wanted: Option<&str>) -> Option<Difference> {
    match wanted {
        Some(wanted) if error.to_string().contains(wanted) => None,
        wanted => Some(Difference::Failed { error: error.to_string(), wanted: wanted.map(str::to_owned) }),
    }
}

/// What a step is called.
fn name_of(step: &Step) -> String {
    let moment = |of: &Moment| match of {
        Moment::Ms(ms) => ms.to_string(),
        Moment::Written(text) => text.clone(),
    };
    match step {
        Step { send: Some(records), input: Some(input), .. } => format!("{} records to {input}", records.len()),
        Step { send: Some(records), .. } => format!("{} records", records.len()),
        Step { watermark: Some(time), .. } => format!("watermark {}", moment(time)),
        Step { clock: Some(time), .. } => format!("clock {}", moment(time)),
        Step { end: true, .. } => "end of input".into(),
        Step { renew: true, .. } => "new instance".into(),
        Step { .. } => "state".into(),
    }
}

struct Running {
    operator: IsolatedOperator,
    /// Names of the inputs, by edge.
    inputs: Vec<String>,
    /// The name of the main output.
    main: String,
    clock: Arc<HandClock>,
    watermark: i64,
    /// All keys that records have had, and those of which something was kept before.
    keys: BTreeSet<Vec<u8>>,
    forgetful: bool,
    random: Option<fastrand::Rng>,
    /// How the last batch was cut.
    cut: Vec<usize>,
    /// A firing has failed: the operator is of no more use.
    is_over: bool,
}

impl Running {
    fn open(test: &Test, alone: Alone, Manner { cut_by, forgetful }: Manner) -> Result<Self, EngineError> {
        let wrong = |what| EngineError::new(ErrorKind::FixInput, what);
        let at = test.clock.as_ref().map(Moment::ms).transpose().map_err(wrong)?;
        let clock = Arc::new(HandClock(AtomicI64::new(at.unwrap_or(0))));
        let Alone { place, inputs } = alone;
        let main = place.factory.descriptor().outputs.first().map(|output| output.name.clone()).unwrap_or_default();
        let (names, fed): (Vec<_>, Vec<_>) = inputs.into_iter().map(|(name, number, by)| (name, (number, by))).unzip();
        let mut operator = IsolatedOperator::alone(place, &fed, &MemoryBackendFactory::new(0), clock.clone())?;
        operator.set_no_record_aside();
        let mut keys = BTreeSet::new();
        if !test.kept.is_empty() {
            let kept = test.kept.iter().map(super::script::Before::read).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
            keys.extend(kept.iter().map(|kept| kept.key.clone()));
            now(operator.keep(kept))?;
        }
        Ok(Self {
            operator,
            inputs: names,
            main,
            clock,
            watermark: i64::MIN,
            keys,
            forgetful,
            random: cut_by.map(fastrand::Rng::with_seed),
            cut: Vec::new(),
            is_over: false,
        })
    }

    fn step(&mut self, step: &Step) -> Result<(), Difference> {
        let wrong = |what: &str| Err(Difference::Script(what.to_owned()));
        let actions = [step.send.is_some(), step.watermark.is_some(), step.clock.is_some(), step.end, step.renew];
        if actions.into_iter().filter(|is| *is).count() > 1 {
            return wrong("a step is one of `send`, `watermark`, `clock`, `end` and `renew`");
        }
        if self.is_over {
            return wrong("nothing follows a timer or window that has failed");
        }
        let mut outputs = Vec::new();
        let worked = match step {
            Step { send: Some(_), .. } => self.send(step, &mut outputs)?,
            Step { watermark: Some(time), .. } => self.advance(time.ms().map_err(Difference::Script)?, &mut outputs)?,
            Step { end: true, .. } => self.advance(END_OF_TIME.0, &mut outputs)?,
            Step { clock: Some(time), .. } => self.set_clock(time.ms().map_err(Difference::Script)?, &mut outputs)?,
            Step { renew: true, .. } => self.operator.renew(),
            Step { .. } => Ok(()),
        };
        match (worked, &step.fails) {
            (Ok(()), None) => {}
            (Ok(()), Some(wanted)) => return Err(Difference::NotFailed { wanted: wanted.clone() }),
            (Err(error), wanted) => failed(&error, wanted.as_deref()).map_or(Ok(()), Err)?,
        }
        // What is due at a time has no order between keys.
        emitted(&step.expect, &outputs, (&self.main, step.send.is_some()))?;
        match &step.state {
            Some(rows) => {
                let contents = now(self.operator.contents(&self.keys)).map_err(|error| Difference::Script(error.to_string()))?;
                kept(rows, &contents, self.operator.states())
            }
            None => Ok(()),
        }
    }

    /// Why the operator has failed is the inner error.
    fn send(&mut self, step: &Step, outputs: &mut Vec<OutputRecord>) -> Result<Result<(), EngineError>, Difference> {
        let edge = match &step.input {
            None => 0,
            Some(input) => self.inputs.iter().position(|name| name == input).ok_or_else(|| {
                Difference::Script(format!(
                    "it has no input `{input}` that the job file feeds, but {}",
                    crate::job_file::list_words(self.inputs.iter().map(String::as_str))
                ))
            })?,
        };
        let mut batch = BatchBuilder::new();
        for record in step.send.iter().flatten() {
            record.push(&mut batch).map_err(Difference::Script)?;
        }
        let batch = batch.finish();
        self.keys.extend((0..batch.len()).filter_map(|record| batch.key(record).map(<[u8]>::to_vec)));
        // What has come of the parts in front of the one that fails would be undone with a whole batch.
        let parts = self.parts(batch.len(), step.fails.is_none());
        if parts.len() > 1 {
            self.cut = parts.iter().map(Range::len).collect();
        }
        for part in parts {
            if let Err(error) = self.send_part(edge, &Arc::new(batch.slice(part)), outputs) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn send_part(&mut self, edge: usize, batch: &Arc<RecordBatch>, outputs: &mut Vec<OutputRecord>) -> Result<(), EngineError> {
        self.forget()?;
        outputs.extend(now(outputs_of(&mut self.operator, edge, batch))??);
        self.fire(outputs)
    }

    fn parts(&mut self, records: usize, may_be_cut: bool) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let mut start = 0;
        while start < records {
            let length = match &mut self.random {
                Some(random) if may_be_cut => random.usize(1..=records - start),
                Some(_) | None => records,
            };
            parts.push(start..start + length);
            start += length;
        }
        parts
    }

    fn advance(&mut self, watermark: i64, outputs: &mut Vec<OutputRecord>) -> Result<Result<(), EngineError>, Difference> {
        if watermark < self.watermark {
            return Err(Difference::Script(format!("a watermark never runs backwards: it has come to {}", self.watermark)));
        }
        self.watermark = watermark;
        self.operator.begin_watermark(watermark);
        Ok(self.fire(outputs))
    }

    fn set_clock(&mut self, ms: i64, outputs: &mut Vec<OutputRecord>) -> Result<Result<(), EngineError>, Difference> {
        if ms < self.clock.wall_ms() {
            return Err(Difference::Script(format!("the clock never runs backwards: it shows {}", self.clock.wall_ms())));
        }
        self.clock.0.store(ms, Ordering::Relaxed);
        Ok(self.fire(outputs))
    }

    /// Makes all calls of what is due.
    fn fire(&mut self, outputs: &mut Vec<OutputRecord>) -> Result<(), EngineError> {
        loop {
            self.forget()?;
            let Some(effects) = now(next_firing(&mut self.operator))? else { return Ok(()) };
            outputs.extend(effects.outputs);
            if let Some(error) = effects.error {
                self.is_over = true;
                return Err(error);
            }
        }
    }

    fn forget(&mut self) -> Result<(), EngineError> {
        if self.forgetful { self.operator.renew() } else { Ok(()) }
    }
}

/// What becomes of a future that waits for nothing.
fn now<T>(future: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    future.now_or_never().unwrap_or_else(|| Err(EngineError::new(ErrorKind::Bug, "state in memory was waited for")))
}
