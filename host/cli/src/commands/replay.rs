//! `weir replay`: what an operator is given and what comes of it, record by record.

use super::rerun::{Rerun, rerun};
use super::{Context, tell};
use crate::args::{Output, ReplayArgs};
use crate::documents::{ReplayDocument, ReplayedRecord, SCHEMA};
use crate::failure::{FAILED, Failure};
use crate::figures::grouped;
use std::io::Write;
use weir_engine::EngineError;
use weir_engine::replay::{IsolatedOperator, RecordEffects, Upstream, effects_of};

/// Prints one line for each record, or one document.
pub(super) fn replay(context: &Context, args: &ReplayArgs) -> Result<u8, Failure> {
    rerun(context, &args.job, (&args.operator, args.from.as_deref()), async |of| {
        let document = ReplayDocument {
            schema: SCHEMA,
            job: of.job.name.clone(),
            operator: of.id().to_owned(),
            from: of.from.clone(),
            records: Vec::new(),
            error: None,
        };
        let mut printer = Printer { context, key: args.key.as_deref(), given: 0, shown: 0, document };
        let failed = run(&of, args.records, &mut printer).await?;
        printer.document.error = failed.as_ref().map(ToString::to_string);
        if context.output == Output::Json {
            context.print(&printer.document, String::new);
        }
        let (given, shown) = (grouped(printer.given), grouped(printer.shown));
        context.screen.notice(&format!("{}: {given} records from {}, {shown} of them shown", of.id(), of.point_text()));
        Ok(failed.map_or(0, |error| {
            tell(context, &Failure::Engine(error));
            FAILED
        }))
    })
}

/// Gives the operator its records up to the first that it fails on, as it would fail in the job. Returns that failure.
async fn run(of: &Rerun, records: u64, printer: &mut Printer<'_>) -> Result<Option<EngineError>, Failure> {
    let mut upstream = Upstream::restore(&of.graph, of.vertex, &of.point, records).await?;
    let mut operator = IsolatedOperator::restore(&of.graph, of.vertex, &of.point).await?;
    while let Some(input) = upstream.next().await? {
        for record in 0..input.batch.len() {
            let effects = effects_of(&mut operator, &input, record)?;
            if !printer.take(&effects) {
                return Ok(None);
            }
            if let Some(error) = effects.error {
                return Ok(Some(error));
            }
        }
    }
    Ok(None)
}

struct Printer<'a> {
    context: &'a Context,
    /// Only records with this key are shown.
    key: Option<&'a str>,
    given: u64,
    shown: u64,
    document: ReplayDocument,
}

impl Printer<'_> {
    /// Shows a record, unless it is to be left out; one that the operator fails on is always shown. False where nobody reads any more.
    fn take(&mut self, effects: &RecordEffects) -> bool {
        self.given += 1;
        let wanted = self.key.is_none_or(|key| effects.key.as_deref() == Some(key.as_bytes()));
        if !wanted && effects.error.is_none() {
            return true;
        }
        self.shown += 1;
        let record = ReplayedRecord::from(effects);
        match self.context.output {
            Output::Json => {
                self.document.records.push(record);
                true
            }
            Output::Text => {
                let line = serde_json::to_string(&record).expect("a document is JSON");
                writeln!(std::io::stdout().lock(), "{line}").is_ok()
            }
        }
    }
}
