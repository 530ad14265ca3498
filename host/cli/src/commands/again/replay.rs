//! `weir replay`: what an operator is given and what comes of it, record by record, and what fires between them. Where it was recorded, that is the run that
//! there was.

use super::rerun::{Rerun, kept_at, no_record_text, rerun};
use crate::args::{Output, REPLAYED, REPLAYED_MAX, ReplayArgs};
use crate::client::job_file;
use crate::context::{Context, tell};
use crate::documents::{HeldText, LoggedCallDocument, ReplayDocument, ReplayedFiring, ReplayedRecord, ReplayedStep, RunKind, SCHEMA};
use crate::failure::{FAILED, Failure};
use crate::figures::grouped;
use crate::kept::is_deletion;
use crate::terminal::standard_output::{buffered, written};
use crate::value_text::moment;
use std::io::{BufWriter, Stdout, Write};
use weir_engine::element::{END_OF_TIME, NO_TIMESTAMP};
use weir_engine::job::JobGraph;
use weir_engine::operator::{CallKind, OperatorCall};
use weir_engine::replay::{
    FiringEffects, Given, IsolatedOperator, LoggedRun, LoggedStretch, LoggedSubtask, RecordEffects, Upstream, effects_of, next_firing,
};
use weir_engine::{EngineError, ErrorKind};

/// Why a replay ends before everything has been run: enough has been shown, nobody reads any more, or it can go no further.
enum Ended {
    Enough,
    Failed(EngineError),
}

/// Prints one line for each record, or one document.
pub(in crate::commands) fn replay(context: &Context, args: &ReplayArgs) -> Result<u8, Failure> {
    let job = job_file(&args.job)?;
    let replayed = rerun(context, &job, (&args.operator, args.from.as_deref()), async |mut of| {
        let recorded = if args.sources { None } else { of.recorded().await? };
        let document = ReplayDocument {
            schema: SCHEMA,
            job: of.job.name.clone(),
            operator: of.id().to_owned(),
            run: if recorded.is_some() { RunKind::Recorded } else { RunKind::Sources },
            from: of.from.clone(),
            to: None,
            records: Vec::new(),
            stalled: Vec::new(),
            error: None,
        };
        let mut printer = Printer {
            context,
            key: args.key.as_deref(),
            given: 0,
            fired: 0,
            shown: 0,
            has_shown: false,
            reached: None,
            document,
            out: buffered(),
        };
        let ended = match recorded {
            Some(run) => {
                // A document is made in memory before it is printed.
                let all = if context.output == Output::Json { REPLAYED_MAX } else { u64::MAX };
                run_recorded(&of, run, args.records.unwrap_or(all), &mut printer).await
            }
            None => run_sources(&of, args.records.unwrap_or(REPLAYED), &mut printer).await,
        };
        match ended {
            Ok(ended) => Ok(printer.end(&of, ended)),
            // What has been printed must not come again.
            Err(failure) if printer.has_printed() => Ok(Err(failure)),
            // Of what is looked at anew, or has come to nothing yet, there is nothing to show.
            Err(failure) if printer.has_shown && !is_deletion(&failure) => Ok(printer.fail(&failure)),
            Err(failure) => Err(failure),
        }
    });
    replayed?
}

/// Gives the operator its records up to the first that it fails on, as it would fail in the job.
async fn run_sources(of: &Rerun, records: u64, printer: &mut Printer<'_>) -> Result<Option<Ended>, Failure> {
    let mut upstream = Upstream::restore(&of.graph, of.vertex, &of.point, records).await?;
    let ended = run_upstream(of, &mut upstream, printer).await?;
    printer.document.stalled = upstream.stalled();
    Ok(ended)
}

async fn run_upstream(of: &Rerun, upstream: &mut Upstream, printer: &mut Printer<'_>) -> Result<Option<Ended>, Failure> {
    let mut operator = IsolatedOperator::restore(&of.graph, of.vertex, &of.point).await?;
    let text = held_text(&of.graph, of.vertex);
    loop {
        // What was due at the checkpoint, and what each record and watermark has made due.
        while let Some(firing) = next_firing(&mut operator).await? {
            if let Some(ended) = printer.take_firing(firing, None, &text)? {
                return Ok(Some(ended));
            }
        }
        match upstream.next().await? {
            None => return Ok(None),
            Some(Given::Watermark(watermark)) => {
                printer.reached = Some(watermark);
                operator.begin_watermark(watermark);
            }
            Some(Given::Records(input)) => {
                for record in 0..input.batch.len() {
                    if let Some(ended) = printer.take(effects_of(&mut operator, &input, record).await?, None, &text)? {
                        return Ok(Some(ended));
                    }
                }
            }
        }
    }
}

/// Makes the recorded calls again, from checkpoint to checkpoint, up to one that fails now, or was not kept.
async fn run_recorded(of: &Rerun, mut run: LoggedRun, records: u64, printer: &mut Printer<'_>) -> Result<Option<Ended>, Failure> {
    let mut batch = 0;
    while let Some(stretch) = run.next().await? {
        let graph = of.graph_of(&stretch).await?;
        let text = held_text(&graph, of.vertex);
        let mut cut_off = Vec::new();
        for subtask in 0..stretch.parallelism() {
            let calls = kept_at(&stretch.to, stretch.calls(subtask).await).await?;
            let mut operator = kept_at(&stretch.from, logged_subtask(of, &graph, &stretch, subtask).await).await?;
            for (number, call) in calls.calls.iter().enumerate() {
                let effects = operator.effects_of(batch, call).await?;
                for firing in effects.firings {
                    let call = call_document(subtask, number, call, effects.undivided);
                    if let Some(ended) = printer.take_firing(firing, Some(call), &text)? {
                        return Ok(Some(ended));
                    }
                }
                batch += u64::from(matches!(call.kind, CallKind::Batch { .. }));
                // No call is cut, whatever is shown of it.
                for record in effects.records {
                    if printer.given >= records {
                        return Ok(Some(Ended::Enough));
                    }
                    let call = call_document(subtask, number, call, effects.undivided);
                    if let Some(ended) = printer.take(record, Some(call), &text)? {
                        return Ok(Some(ended));
                    }
                }
            }
            cut_off.extend(calls.cut_off.then(|| subtask.to_string()));
        }
        if !cut_off.is_empty() {
            return Ok(Some(Ended::Failed(was_cut_off(of.id(), &stretch, &cut_off))));
        }
        printer.document.to = stretch.to.checkpoint_id().map(|id| id.0);
    }
    Ok(None)
}

/// How the states of the operator at `vertex` are shown.
fn held_text(graph: &JobGraph, vertex: usize) -> HeldText {
    HeldText::of(&super::rerun::states(graph, vertex))
}

async fn logged_subtask(of: &Rerun, graph: &JobGraph, stretch: &LoggedStretch, subtask: u32) -> Result<LoggedSubtask, EngineError> {
    LoggedSubtask::restore(graph, of.vertex, (subtask, stretch.parallelism()), &stretch.from).await
}

fn call_document(subtask: u32, number: usize, call: &OperatorCall, undivided: bool) -> LoggedCallDocument {
    let watermark = Some(call.watermark).filter(|&watermark| watermark != NO_TIMESTAMP);
    LoggedCallDocument { subtask, call: number as u64, watermark, processing_time: call.processing_time, undivided }
}

/// Not all calls of a stretch were kept.
fn was_cut_off(operator: &str, stretch: &LoggedStretch, subtasks: &[String]) -> EngineError {
    let message = format!(
        "replay {operator}: between {} and {} there were more calls than are kept of all recorded operators together: what was recorded of its subtask {} ends early",
        stretch.from,
        stretch.to,
        subtasks.join(", ")
    );
    EngineError::new(ErrorKind::FixInput, message)
        .with_hint("a shorter `interval` of [checkpoints] records everything; `--from` takes a later checkpoint")
}

/// Sources that were left.
fn stalled_text(sources: &[String]) -> String {
    match sources.is_empty() {
        true => String::new(),
        false => format!("; {}", super::rerun::stalled_text(sources)),
    }
}

struct Printer<'a> {
    context: &'a Context,
    /// Only records with this key are shown, and what fires of it.
    key: Option<&'a str>,
    given: u64,
    /// Windows and timers.
    fired: u64,
    shown: u64,
    has_shown: bool,
    /// How far event time has come in a run over the sources.
    reached: Option<i64>,
    document: ReplayDocument,
    /// Where the lines go.
    out: BufWriter<Stdout>,
}

impl Printer<'_> {
    /// Shows a record, unless it is to be left out; one that the operator fails on is always shown.
    fn take(&mut self, effects: RecordEffects, call: Option<LoggedCallDocument>, text: &HeldText) -> Result<Option<Ended>, Failure> {
        self.given += 1;
        let wanted = self.key.is_none_or(|key| effects.key.as_deref() == Some(key.as_bytes()));
        let mut read = true;
        if wanted || effects.error.is_some() {
            self.shown += 1;
            read = self.show(ReplayedStep::Record(ReplayedRecord::of(&effects, call, text)))?;
        }
        Ok(match effects.error {
            Some(error) => Some(Ended::Failed(error)),
            None => (!read).then_some(Ended::Enough),
        })
    }

    /// Shows what has fired, or come of a watermark, unless it is to be left out or is nothing; what the operator fails on is always shown.
    fn take_firing(&mut self, effects: FiringEffects, call: Option<LoggedCallDocument>, text: &HeldText) -> Result<Option<Ended>, Failure> {
        self.fired += effects.fired.len() as u64;
        let wanted = !effects.is_empty() && self.key.is_none_or(|key| effects.is_of(key.as_bytes()));
        let mut read = true;
        if wanted || effects.error.is_some() {
            read = self.show(ReplayedStep::Firing(ReplayedFiring::of(&effects, call, text)))?;
        }
        Ok(match effects.error {
            Some(error) => Some(Ended::Failed(error)),
            None => (!read).then_some(Ended::Enough),
        })
    }

    /// False where nobody reads any more, or a document, which is made in memory, holds as much as it may.
    fn show(&mut self, step: ReplayedStep) -> Result<bool, Failure> {
        self.has_shown = true;
        match self.context.output {
            Output::Json => {
                self.document.records.push(step);
                Ok((self.document.records.len() as u64) < REPLAYED_MAX)
            }
            Output::Text => {
                let line = serde_json::to_string(&step).expect("a document is JSON");
                Ok(written(writeln!(self.out, "{line}"))?.is_continue())
            }
        }
    }

    fn has_printed(&self) -> bool {
        self.context.output == Output::Text && self.has_shown
    }

    /// Prints what is left to be printed, and says what was run. The exit code.
    fn end(&mut self, of: &Rerun, ended: Option<Ended>) -> Result<u8, Failure> {
        let failed = match ended {
            Some(Ended::Failed(error)) => Some(error),
            Some(Ended::Enough) | None => None,
        };
        self.document.error = failed.as_ref().map(ToString::to_string);
        match self.context.output {
            Output::Json => self.context.print(&self.document, String::new)?,
            Output::Text => _ = written(self.out.flush())?,
        }
        self.context.screen.notice(&self.notice(of));
        Ok(failed.map_or(0, |error| {
            tell(self.context, &Failure::Engine(error));
            FAILED
        }))
    }

    /// Prints the document of a run that could not go on, and says why. The exit code.
    fn fail(&mut self, failure: &Failure) -> Result<u8, Failure> {
        self.document.error = Some(failure.text());
        self.context.print(&self.document, String::new)?;
        tell(self.context, failure);
        Ok(failure.exit_code())
    }

    /// What has been run.
    fn notice(&self, of: &Rerun) -> String {
        let (given, shown) = (grouped(self.given), grouped(self.shown));
        let run = match (self.document.run, self.document.to) {
            (RunKind::Recorded, Some(to)) => format!("; the run that there was, up to checkpoint {to}"),
            (RunKind::Recorded, None) => "; the run that there was".to_owned(),
            (RunKind::Sources, _) => "; a possible run: the sources were read again".to_owned(),
        };
        let fired = match self.fired {
            0 => String::new(),
            fired => format!(", {} windows and timers fired", grouped(fired)),
        };
        let reached = match self.reached {
            Some(reached) if reached == END_OF_TIME.0 => "; event time came to its end".to_owned(),
            Some(reached) if reached > NO_TIMESTAMP => format!("; event time came to {}", moment(reached)),
            Some(_) | None => String::new(),
        };
        let stalled = stalled_text(&self.document.stalled);
        let nothing = match self.given + self.fired {
            0 if self.document.error.is_none() => format!("; {}", no_record_text(&of.job.name)),
            _ => String::new(),
        };
        format!("{}: {given} records from {}, {shown} of them shown{fired}{run}{reached}{stalled}{nothing}", of.id(), of.point_text())
    }
}
