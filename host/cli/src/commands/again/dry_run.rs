//! `weir upgrade --dry-run`: the plugin that runs and the one that is to replace it, on the same records and the same state.

use super::rerun::{Rerun, no_record_text, rerun, stalled_text, states};
use crate::args::UpgradeArgs;
use crate::client::job_file;
use crate::context::Context;
use crate::documents::{
    DryRunDocument, FailedRecordDocument, FiredExampleDocument, HeldDocument, OperatorAt, OutputDifferences, StateDifference,
    StateDifferences, VersionRunDocument,
};
use crate::failure::{FAILED, Failure};
use crate::figures::grouped;
use crate::job_file::list_words;
use crate::oci::Access;
use crate::start::{Named, named_plugin};
use crate::value_text::moment;
use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use std::path::Path;
use weir_engine::job::{JobGraph, VertexKind};
use weir_engine::replay::{IsolatedOperator, Upstream, VersionRun, dry_run};

/// Characters of a value that the text shows.
const SHOWN: usize = 100;

/// Compares the two and prints how they differ.
pub(in crate::commands) fn upgrade(context: &Context, args: &UpgradeArgs) -> Result<u8, Failure> {
    let job = job_file(Path::new(&args.job))?;
    let read = |path: &Path| Ok(Bytes::from(weir_wasm::read_plugin(path)?));
    let named = named_plugin(&context.screen, &args.plugin, &Access::of_process(false), read)?;
    let (document, from, waits) = rerun(context, &job, (&args.operator, args.from.as_deref()), async |of| {
        Ok((compare(&of, args, &named).await?, of.point_text(), waits(&of.graph, of.vertex)))
    })?;
    context.print(&document, || text(&document, &from, waits))?;
    Ok(if document.agrees { 0 } else { FAILED })
}

async fn compare(of: &Rerun, args: &UpgradeArgs, named: &Named) -> Result<DryRunDocument, Failure> {
    let new_graph = of.graph_with(named)?;
    let mut upstream = Upstream::restore(&of.graph, of.vertex, &of.point, args.records).await?;
    let mut old = IsolatedOperator::restore(&of.graph, of.vertex, &of.point).await?;
    let mut new = IsolatedOperator::restore(&new_graph, of.vertex, &of.point).await?;
    let report = dry_run(&mut upstream, (&mut old, &mut new), &*of.point.clock).await?;
    let trials = (trial(&report.old, &of.graph, of.vertex), trial(&report.new, &new_graph, of.vertex));
    let (old_states, new_states) = (states(&of.graph, of.vertex), states(&new_graph, of.vertex));
    let states = (&old_states[..], &new_states[..]);
    Ok(DryRunDocument::of(&report, OperatorAt { job: &of.job.name, operator: of.id(), from: of.from.clone() }, trials, states))
}

fn trial(trial: &VersionRun, graph: &JobGraph, vertex: usize) -> VersionRunDocument {
    match &graph.vertices[vertex].kind {
        VertexKind::Operator(factory) => {
            let digest = factory.component().map(|component| component.digest.clone());
            VersionRunDocument::of(trial, factory.descriptor(), digest)
        }
        VertexKind::Source { .. } | VertexKind::Sink(_) => unreachable!("a dry run is of an operator"),
    }
}

/// True where the operator has windows or timers.
fn waits(graph: &JobGraph, vertex: usize) -> bool {
    match &graph.vertices[vertex].kind {
        VertexKind::Operator(factory) => factory.descriptor().windowed || !factory.descriptor().timers.is_empty(),
        VertexKind::Source { .. } | VertexKind::Sink(_) => false,
    }
}

/// States that the new version does not have.
fn left_out_text(states: &[String]) -> String {
    format!("the new one leaves out {}: a live upgrade to it is refused", list_words(states.iter().map(String::as_str)))
}

/// How far time came, and what that means for windows and timers.
fn time_text(document: &DryRunDocument) -> String {
    match (document.ended, document.watermark) {
        (true, _) => "the input has ended, and event time with it".to_owned(),
        (false, Some(watermark)) => {
            format!("event time came to {}: what is due later has not fired, and is compared as state", moment(watermark))
        }
        (false, None) => "event time has not begun: what is due by it has not fired, and is compared as state".to_owned(),
    }
}

fn text(document: &DryRunDocument, from: &str, waits: bool) -> String {
    let DryRunDocument { job, operator, records, batches, old, new, .. } = document;
    let mut text = format!("{operator} of {job} from {from}, on {} records in {} batches\n", grouped(*records), grouped(*batches));
    text.push_str(&trial_text("old", old));
    text.push_str(&trial_text("new", new));
    document.outputs.iter().for_each(|output| text.push_str(&output_text(output)));
    document.states.iter().for_each(|state| text.push_str(&state_text(state)));
    let (time, left_out, stalled) = (time_text(document), left_out_text(&document.left_out), stalled_text(&document.stalled));
    let no_record = no_record_text(job);
    let remarks = [
        (!document.left_out.is_empty(), left_out.as_str()),
        (*records == 0, no_record.as_str()),
        (old.digest == new.digest, "the two are one and the same component"),
        (document.gave_up, "given up: one of them failed too often"),
        (!document.failures_agree, "they fail on different records, windows or timers"),
        (!document.stalled.is_empty(), stalled.as_str()),
        (waits, time.as_str()),
    ];
    remarks.into_iter().filter(|(holds, _)| *holds).for_each(|(_, remark)| text.push_str(&format!("  {remark}\n")));
    text.push_str(match (document.agrees, document.compared) {
        (true, _) => "the two agree\n",
        (false, true) => "the two differ\n",
        (false, false) => "nothing was compared\n",
    });
    text
}

fn trial_text(which: &str, trial: &VersionRunDocument) -> String {
    let VersionRunDocument { name, version, digest, failures, windows, timers, total_ms, batch_median_ms, fuel, .. } = trial;
    let digest = digest.as_deref().map_or("native", |digest| &digest[..8.min(digest.len())]);
    let fuel = fuel.map(|fuel| format!(", {} instructions", grouped(fuel))).unwrap_or_default();
    let fired = match (windows, timers) {
        (0, 0) => String::new(),
        (windows, timers) => format!(", {} windows and {} timers fired", grouped(*windows), grouped(*timers)),
    };
    let mut text = format!(
        "  {which}: {name} {version} ({digest}): {} failures, {total_ms:.1} ms, {batch_median_ms:.2} ms a batch{fired}{fuel}\n",
        grouped(*failures)
    );
    trial.fired.iter().for_each(|example| text.push_str(&fired_text(example)));
    for FailedRecordDocument { batch, record, key, value, message } in &trial.examples {
        let place =
            record.map_or_else(|| "as a whole".to_owned(), |record| format!("record {record}, key {}, {}", shown(key), shown(value)));
        let message = message.lines().next().unwrap_or_default();
        text.push_str(&format!("     batch {batch} {place}: {message}\n"));
    }
    text
}

fn fired_text(FiredExampleDocument { by, outputs, error }: &FiredExampleDocument) -> String {
    let outputs: Vec<_> = outputs.iter().map(|output| format!("{} {}", output.output, emitted(&output.record))).collect();
    let gave = match error {
        Some(error) => error.lines().next().unwrap_or_default().to_owned(),
        None if outputs.is_empty() => "nothing of its own".to_owned(),
        None => outputs.join(", "),
    };
    format!("     key {}, {}: {gave}\n", shown(by.key()), by.text())
}

fn output_text(of: &OutputDifferences) -> String {
    let examples = of.examples.iter().map(|example| {
        let by = |of: &crate::documents::EmittedDocument| of.by.as_ref().map(|by| format!(" by {}", by.text())).unwrap_or_default();
        let shown = |side: &Option<crate::documents::EmittedDocument>| {
            side.as_ref().map_or("nothing".to_owned(), |record| emitted(record) + &by(record))
        };
        ShownDifference { key: self::shown(&example.key), old: shown(&example.old), new: shown(&example.new) }
    });
    differences_text(&format!("output {}", of.name), [of.only_old, of.only_new, of.different], examples)
}

fn emitted(record: &crate::documents::EmittedDocument) -> String {
    let at = record.timestamp.map(|timestamp| format!(" at {}", moment(timestamp))).unwrap_or_default();
    format!("{}{at}", shown(&record.value))
}

fn state_text(of: &StateDifferences) -> String {
    let held = |held: &HeldDocument| held.as_ref().map_or_else(|| "nothing".to_owned(), |held| shown_json(held));
    let new = |example: &StateDifference| match &example.problem {
        Some(problem) => format!("{} ({problem})", held(&example.new)),
        None => held(&example.new),
    };
    let shown = |example: &StateDifference| ShownDifference { key: shown_json(&example.key), old: held(&example.old), new: new(example) };
    let examples = of.examples.iter().map(shown);
    let versions = of.migrated_from.map(|version| format!(", migrated from version {version}")).unwrap_or_default();
    differences_text(&format!("state {}{versions}", of.name), [of.only_old, of.only_new, of.different], examples)
}

/// An example of what differs, as it is shown.
struct ShownDifference {
    key: String,
    old: String,
    new: String,
}

fn differences_text(what: &str, counts: [u64; 3], examples: impl Iterator<Item = ShownDifference>) -> String {
    if counts == [0; 3] {
        return format!("  {what}: no difference\n");
    }
    let [only_old, only_new, different] = counts.map(grouped);
    let mut text = format!("  {what}: {only_old} only in old, {only_new} only in new, {different} different\n");
    examples.for_each(|ShownDifference { key, old, new }| text.push_str(&format!("     key {key}: {old} → {new}\n")));
    text
}

/// On one line, and not too long.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.chars().any(char::is_control) => text.clone(),
        other => other.to_string(),
    };
    cut(text)
}

/// The same of JSON whose fields are in the order of a description.
fn shown_json(json: &RawValue) -> String {
    match serde_json::from_str(json.get()) {
        Ok(Value::String(text)) if !text.chars().any(char::is_control) => cut(text),
        Ok(_) | Err(_) => cut(json.get().to_owned()),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_shown_on_one_line_and_cut() {
        let texts =
            [json!("a b"), json!("a\nb"), json!(null), json!({ "base64": "AA==" }), json!("é".repeat(101))].map(|value| shown(&value));
        assert_eq!(texts[..4], ["a b", "\"a\\nb\"", "null", "{\"base64\":\"AA==\"}"]);
        assert_eq!(texts[4], "é".repeat(100) + "…");
    }

    #[test]
    fn differences_are_counted_and_shown_and_none_is_said_too() {
        let examples = [ShownDifference { key: "k".to_owned(), old: "1".to_owned(), new: "2".to_owned() }];
        assert_eq!(
            differences_text("output out", [0, 0, 1_000], examples.into_iter()),
            "  output out: 0 only in old, 0 only in new, 1,000 different\n     key k: 1 → 2\n"
        );
        assert_eq!(differences_text("state s", [0; 3], [].into_iter()), "  state s: no difference\n");
    }
}
