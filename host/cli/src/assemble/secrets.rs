//! What a plugin is to be told and nobody can read: a variable that is not set, a file that is not there. Connectors say so of their own settings.

use crate::job_file::{Code, JobFile, OperatorStep, PluginCode, Problem, Span};
use serde_json::Value;

/// Of the configs of all plugins.
pub(super) fn problems(job: &JobFile) -> Vec<Problem> {
    let of = |step: &OperatorStep| match &step.code {
        Code::Plugin(code) => of_config(&step.id.value, &step.id.span, code),
        Code::Native(_) => Vec::new(),
    };
    job.operators.iter().flat_map(of).collect()
}

fn of_config(id: &str, step: &Span, PluginCode { config, config_places: places, .. }: &PluginCode) -> Vec<Problem> {
    let whole = places.whole.as_ref().unwrap_or(step);
    let of_key = |name: &str| places.keys.iter().find(|(key, _)| key == name).map_or(whole, |(_, span)| span);
    let entries: Vec<(&Span, &Value)> = match (weir_secrets::template_of(config), config.as_object()) {
        (None, Some(table)) => table.iter().map(|(name, value)| (of_key(name), value)).collect(),
        (Some(_), _) | (None, None) => vec![(whole, config)],
    };
    let problem = |(span, value): (&Span, &Value)| {
        let error = weir_secrets::check(value).err()?;
        Some(Problem::new(span.clone(), format!("`config` in [operator.{id}]: {error}")).hint(error.hint()))
    };
    entries.into_iter().filter_map(problem).collect()
}
