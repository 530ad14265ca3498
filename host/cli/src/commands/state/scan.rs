//! `weir state scan` and `weir state get`: an operator's state, or that of one key, row by row.

use super::opened::{Opened, look_into};
use super::output::RowsOut;
use super::rows::Form;
use super::rows_asked_for;
use super::select::{KeyText, Keys, Selection};
use super::target::Target;
use crate::args::{FormArgs, KeyArgs, OperatorArgs, Output};
use crate::context::Context;
use crate::documents::{LookedInto, SCHEMA, StateRowsHead};
use crate::failure::Failure;
use crate::storage::with_stores;
use weir_engine::inspect::OperatorState;
use weir_engine::{EngineError, ErrorKind};

/// Writes all state of an operator.
pub(super) fn scan(context: &Context, of: &OperatorArgs, prefix: Option<&str>, limit: Option<u64>, form: &FormArgs) -> Result<u8, Failure> {
    let keys = match prefix {
        Some(prefix) => Keys::Prefix(KeyText::shown(prefix)?),
        None => Keys::All,
    };
    write(context, of, keys, limit, form)
}

/// Writes the state of one key.
pub(super) fn get(context: &Context, of: &OperatorArgs, key: &KeyArgs, form: &FormArgs) -> Result<u8, Failure> {
    let key = match (&key.key, &key.key_hex) {
        (Some(text), _) => KeyText::shown(text)?,
        (None, digits) => KeyText::hex(digits.as_deref().unwrap_or_default())?,
    };
    write(context, of, Keys::One(key), None, form)
}

fn write(context: &Context, of: &OperatorArgs, keys: Keys, limit: Option<u64>, form: &FormArgs) -> Result<u8, Failure> {
    let asked = rows_asked_for(context, form)?;
    let target = Target::of(context, &of.look)?;
    let written = async |opened: &Opened| write_rows(context, of, opened, keys.clone(), (asked.clone(), limit)).await;
    with_stores(async |stores| look_into(stores, &target, written).await)
}

async fn write_rows(
    context: &Context,
    of: &OperatorArgs,
    opened: &Opened,
    keys: Keys,
    (asked, limit): (Option<Form>, Option<u64>),
) -> Result<u8, Failure> {
    let operator = opened.operator(&of.operator)?;
    let selection = Selection::new(operator, of.state.as_deref(), keys)?;
    let head = head(opened.looked_into(), &operator, selection.keys());
    context.screen.notice(&heading(&head));
    let place = head.of.place();
    let form = match (asked, context.output) {
        (Some(form), _) => form,
        (None, Output::Text) => Form::Table,
        (None, Output::Json) => Form::Document(head),
    };
    let mut out = RowsOut::new(form, limit);
    let read = match selection.rows(&mut |row| out.write(&row)).await {
        Ok(()) if out.is_empty() => found_nothing(of, &place, selection.keys()),
        Ok(()) => Ok(()),
        Err(failure) => Err(opened.explained(failure).await),
    };
    out.finish(context, read)
}

fn head(of: LookedInto, operator: &OperatorState<'_>, keys: &Keys) -> StateRowsHead {
    let reader = operator.keyed();
    let key_group = match keys {
        Keys::One(key) => Some(reader.group_of(key.bytes())),
        Keys::All | Keys::Prefix(_) => None,
    };
    StateRowsHead {
        schema: SCHEMA,
        of,
        operator: operator.id().to_owned(),
        key_group,
        subtask: key_group.map(|key_group| reader.subtask_of(key_group)),
    }
}

fn heading(head: &StateRowsHead) -> String {
    let StateRowsHead { schema: _, of, operator, key_group, subtask } = head;
    let place = key_group.zip(*subtask).map(|(key_group, subtask)| format!(", key group {key_group}, subtask {subtask}"));
    format!("{operator} of {} in {}{}", of.job, of.place(), place.unwrap_or_default())
}

/// A key that has no state is a failure; that there is no state to scan is none.
fn found_nothing(of: &OperatorArgs, place: &str, keys: &Keys) -> Result<(), Failure> {
    let Keys::One(key) = keys else { return Ok(()) };
    let state = of.state.as_ref().map_or_else(|| "state".to_owned(), |state| format!("state `{state}`"));
    let message = format!("the key `{}` has no {state} in {} in {place}", key.text(), of.operator);
    let hint = format!("`weir state scan {} {} --limit 20` shows keys that have", of.look.named, of.operator);
    Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint).into())
}
