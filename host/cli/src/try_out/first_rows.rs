//! A look at a source's first rows: whether they can be read, and whether they have what the step says that they have.
//!
//! Only what can be read again is looked at: the rest would be gone for the run. It reads as a run does, and no further than the bounds below. What no row
//! has is a problem where these were all rows, and a remark where there are more: those may have it, and a run would finish.

use crate::job_file::{JobFile, Problem, SourceStep};
use std::task::{Context, Poll, Waker};
use weir_engine::element::{NO_TIMESTAMP, RecordBatch};
use weir_engine::operator::Subtask;
use weir_engine::runtime::ConnectorIo;
use weir_engine::{EngineError, ReadStatus, ReaderContext, Source, SplitBatch, SplitState};

/// Rows that are looked at.
const ROWS: usize = 1_000;
/// Reads of the source, each of 256 KiB or a file at most.
const READS: usize = 16;

/// What a look at the first rows has come to.
#[derive(Default)]
struct Seen {
    rows: usize,
    with_key: bool,
    with_timestamp: bool,
    skipped: u64,
    /// There are no others.
    all: bool,
}

/// What is to be said of the first rows.
pub(super) enum Said {
    Nothing,
    /// A run may finish all the same.
    Remark(String),
    /// A run cannot do what the step says.
    Problem(Problem),
}

/// What is wrong with the first rows of the source `id`, whose splits these are.
pub(super) fn look(job: &JobFile, id: &str, source: &dyn Source, splits: Vec<SplitState>, io: &ConnectorIo) -> Said {
    let Some(step) = job.sources.iter().find(|step| step.id.value == id) else { return Said::Nothing };
    // What is read but once belongs to the run.
    if !source.capabilities().replayable {
        return Said::Nothing;
    }
    match read(id, source, splits, io) {
        Ok(seen) => match nothing_there(step, &seen) {
            None => Said::Nothing,
            Some(problem) if seen.all => Said::Problem(problem),
            Some(problem) => Said::Remark(problem.message),
        },
        Err(error) => Said::Problem(unreadable(step, &error)),
    }
}

fn read(id: &str, source: &dyn Source, splits: Vec<SplitState>, io: &ConnectorIo) -> Result<Seen, EngineError> {
    let subtask = Subtask { vertex: id.to_owned(), index: 0, parallelism: 1 };
    let mut reader = source.reader(&ReaderContext { subtask, in_order: false, io: io.clone() }, splits)?;
    let mut seen = Seen::default();
    for _ in 0..READS {
        let mut out = SplitBatch::new();
        let status = reader.poll_read(&mut Context::from_waker(Waker::noop()), ROWS - seen.rows, &mut out);
        seen.take(&out.take());
        match status {
            Poll::Ready(Ok(ReadStatus::More)) if seen.rows < ROWS => {}
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Ready(Ok(status)) => {
                seen.all = status == ReadStatus::End;
                break;
            }
            Poll::Pending => break,
        }
    }
    seen.skipped = reader.skipped();
    Ok(seen)
}

impl Seen {
    fn take(&mut self, rows: &RecordBatch) {
        self.rows += rows.len();
        self.with_key |= (0..rows.len()).any(|row| rows.key(row).is_some());
        self.with_timestamp |= rows.timestamps().iter().any(|&timestamp| timestamp != NO_TIMESTAMP);
    }
}

fn nothing_there(step: &SourceStep, seen: &Seen) -> Option<Problem> {
    let id = &step.id.value;
    let at = |setting: &str| step.settings.spans.get(setting).cloned();
    let Seen { rows, with_key, with_timestamp, skipped, all: _ } = seen;
    if *rows == 0 && *skipped > 0 {
        let message = format!("`{id}`: none of its first {skipped} rows can be read: all of them are skipped");
        return Some(Problem::new(at("on-error").unwrap_or(step.connector.span.clone()), message));
    }
    let none = |what: &str| format!("`{id}`: of its first {rows} rows none has a {what}");
    let hint = |setting: &str, hint: &str| format!("{hint}{}", dotted_text(step, setting));
    match (at("timestamp"), at("key")) {
        _ if *rows == 0 => None,
        (Some(span), _) if !with_timestamp => {
            let named = "`timestamp` names the column or field that holds it; without `timestamp` records have none";
            Some(Problem::new(span, none("timestamp")).hint(hint("timestamp", named)))
        }
        (_, Some(span)) if !with_key => {
            Some(Problem::new(span, none("key")).hint(hint("key", "`key` names the column or field that holds it")))
        }
        _ => None,
    }
}

/// What is said besides where a setting names `a.b`: who writes that means a field within another one, which is never looked for.
fn dotted_text(step: &SourceStep, setting: &str) -> String {
    let said = step.settings.values.get(setting);
    let named = said.and_then(|said| said.get("field").unwrap_or(said).as_str()).filter(|name| name.contains('.'));
    named
        .map(|name| format!("; `{name}` is looked for as the name of one field: what lies within another field is not found"))
        .unwrap_or_default()
}

/// The error at the setting that it is about.
fn unreadable(step: &SourceStep, error: &EngineError) -> Problem {
    let message = error.to_string();
    let about = if message.contains("the timestamp ") { "timestamp" } else { "path" };
    let span = step.settings.spans.get(about).unwrap_or(&step.connector.span).clone();
    let problem = Problem::new(span, format!("`{}`: {}", step.id.value, message.lines().next().unwrap_or_default()));
    match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
