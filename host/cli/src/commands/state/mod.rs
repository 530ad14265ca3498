//! `weir state`: looks into the state in checkpoints and savepoints. The engine's room `inspect` reads, [`crate::value_text`] shows.
//!
//! What the command line says goes through four steps: `named` tells what it is, `target` finds where that lies, `kept` which checkpoint is
//! meant, and `opened` has it open for `list`, `scan` or `diff`.

mod diff;
mod diff_text;
mod kept;
mod list;
mod named;
mod opened;
mod output;
mod rows;
mod scan;
mod select;
mod target;

use crate::args::{FormArgs, Output, RowFormat, StateCommand};
use crate::context::Context;
use crate::failure::Failure;
use rows::Form;

/// Does what the command says. The exit code.
pub(super) fn run(context: &Context, command: &StateCommand) -> Result<u8, Failure> {
    match command {
        StateCommand::List { look, operator } => list::list(context, look, operator.as_deref()),
        StateCommand::Get { of, key, form } => scan::get(context, of, key, form),
        StateCommand::Scan { of, prefix, limit, form } => scan::scan(context, of, prefix.as_deref(), *limit, form),
        StateCommand::Diff(diff) => diff::diff(context, diff),
    }
}

/// How rows are written; `None` where the document that `--output` says is asked for.
fn rows_asked_for(context: &Context, form: &FormArgs) -> Result<Option<Form>, Failure> {
    match (form.format, context.output) {
        (Some(_), Output::Json) => Err(Failure::Usage {
            message: "`--format` and `--output json` would both write to standard output".into(),
            hint: "leave one of them out".into(),
        }),
        (Some(RowFormat::Jsonl), Output::Text) => Ok(Some(Form::Jsonl)),
        (Some(RowFormat::Csv), Output::Text) => Ok(Some(Form::Csv)),
        (None, _) => Ok(None),
    }
}
