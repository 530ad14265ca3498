//! Inputs from the output `quarantine` of a source: there is one only where the source sets aside what it cannot read, and only the source knows that.

use crate::job_file::{JobFile, Problem, SourceStep};
use weir_connectors::{Kind, Setting, settings_of_sources};
use weir_engine::Source;
use weir_engine::operator::QUARANTINE_NAME;

/// Inputs that are fed by what `source`, which is made of `step`, sets aside, where that is nothing.
pub(super) fn missing(job: &JobFile, step: &SourceStep, source: &dyn Source) -> Vec<Problem> {
    if source.quarantines() {
        return Vec::new();
    }
    let id = &step.id.value;
    let hint = match setting_of(&step.connector.value) {
        Some(setting) => format!("`{} = \"{QUARANTINE_NAME}\"` in [source.{id}] does", setting.name),
        None => format!("there is nothing that a `{}` source cannot read", step.connector.value),
    };
    let inputs = job.operators.iter().flat_map(|step| &step.inputs).chain(job.sinks.iter().flat_map(|step| &step.inputs));
    let fed = inputs.filter(|input| input.from == *id && input.output.as_deref() == Some(QUARANTINE_NAME));
    fed.map(|input| Problem::new(input.span.clone(), format!("`{id}` puts no record into quarantine")).hint(&hint)).collect()
}

/// The setting with which a source of this connector sets aside what it cannot read.
fn setting_of(connector: &str) -> Option<&'static Setting> {
    let known = settings_of_sources().into_iter().find(|known| known.connector == connector)?;
    known.settings.iter().find(|setting| matches!(setting.kind, Kind::Choice(words) if words.contains(&QUARANTINE_NAME)))
}
