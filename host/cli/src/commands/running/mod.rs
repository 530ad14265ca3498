//! Commands that speak to a running job.

use crate::api::{ChangeDocument, JobStatusDocument, RescaleRequest, SavepointRequest, StopRequest};
use crate::args::{RescaleArgs, SavepointCreateArgs, StopArgs, UpgradeArgs};
use crate::client::{JobClient, running};
use crate::context::{Context, tell};
use crate::documents::SCHEMA;
use crate::failure::{FAILED, Failure};
use crate::figures::{bytes_text, grouped, metrics_text, padded};
use crate::registry::Registered;
use crate::storage::savepoint_url;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};

/// How often a job is asked how far it has come.
const WATCH: Duration = Duration::from_millis(200);

/// Lists the jobs that run.
pub(super) fn jobs(context: &Context) -> Result<u8, Failure> {
    let running = running()?;
    let document = json!({ "schema": SCHEMA, "jobs": running });
    let text = || match &running[..] {
        [] => "no job runs\n".to_owned(),
        running => running.iter().map(job_line).collect(),
    };
    context.print(&document, text)?;
    Ok(0)
}

fn job_line(one: &Registered) -> String {
    let api = one.api.as_ref().map_or("no API".to_owned(), |api| format!("http://{api}"));
    format!("{}  process {}  {api}  {}\n", one.job, one.pid, one.job_file)
}

/// Shows how a job is doing.
pub(super) fn status(context: &Context, job: &str) -> Result<u8, Failure> {
    let status = status_of(&JobClient::find(job)?)?;
    context.print(&status, || status_text(&status))?;
    Ok(0)
}

fn status_of(client: &JobClient) -> Result<JobStatusDocument, Failure> {
    serde_json::from_value(client.status()?).map_err(|error| {
        let job = &client.registered.job;
        EngineError::new(ErrorKind::FixInput, format!("{job}: its weir answers in another way than this one expects: {error}")).into()
    })
}

fn status_text(status: &JobStatusDocument) -> String {
    let JobStatusDocument { job, state, pid, uptime_s, job_file, storage, .. } = status;
    let mut text = format!("{job} {state} for {uptime_s:.0} s, process {pid}\n  {job_file}\n  {storage}\n");
    let width = status.vertices.iter().map(|vertex| vertex.id.len()).max().unwrap_or(0);
    for vertex in &status.vertices {
        let (records_in, records_out) = (grouped(vertex.records_in), grouped(vertex.records_out));
        let quarantined = if vertex.quarantined > 0 { format!("  {} quarantined", grouped(vertex.quarantined)) } else { String::new() };
        let state = if vertex.state_bytes > 0 { format!("  {} of state", bytes_text(vertex.state_bytes)) } else { String::new() };
        text.push_str(&format!(
            "  {}  {:>3} ×  {records_in:>13} in  {records_out:>13} out{quarantined}{state}\n",
            padded(&vertex.id, width),
            vertex.parallelism
        ));
        text.push_str(&metrics_text(&vertex.metrics, width));
    }
    let last = status
        .last_checkpoint
        .as_ref()
        .map_or("none yet".to_owned(), |last| format!("{} ({} ms, {})", last.id, last.duration_ms, bytes_text(last.bytes)));
    text.push_str(&format!(
        "  checkpoints: {} completed, {} failed, the last: {last}; restarts: {}\n",
        status.checkpoints_completed, status.checkpoints_failed, status.restarts
    ));
    if let Some(ChangeDocument { id: _, what, operator, phase, checkpoint }) = &status.change {
        let operator = operator.as_ref().map(|id| format!(" of `{id}`")).unwrap_or_default();
        let behind = checkpoint.map(|id| format!(", behind checkpoint {id}")).unwrap_or_default();
        text.push_str(&format!("  {what}{operator} under way: {phase}{behind}\n"));
    }
    text
}

/// Stops a job after a last checkpoint, or after the end of its input.
pub(super) fn stop(context: &Context, args: &StopArgs) -> Result<u8, Failure> {
    let client = JobClient::find(&args.job)?;
    let savepoint = args.savepoint.as_deref().map(|url| if url.is_empty() { Ok(String::new()) } else { savepoint_url(url) }).transpose()?;
    context.screen.notice(if args.drain { "draining: the input ends here" } else { "stopping after a last checkpoint" });
    let document = client.post("/v1/stop", &json!(StopRequest { drain: args.drain, savepoint: savepoint.clone() }))?;
    let good = matches!(document["outcome"].as_str(), Some("stopped" | "finished" | "already-finished"));
    context.print_done(&document, || {
        let mut text = format!("{} {}, {}\n", text_of(&document, "job"), text_of(&document, "outcome"), checkpoint_text(&document));
        if let Some(url) = document["savepoint"].as_str() {
            // A job that was started without a job file has none to name.
            let file = Some(client.registered.job_file.as_str()).filter(|file| Path::new(file).is_file());
            let file = file.map(|file| format!("{file} ")).unwrap_or_default();
            text.push_str(&format!("  savepoint: {url}\n  `weir run {file}--from {url}` goes on from it\n"));
        }
        text + &why_it_failed(&document)
    })?;
    if let Some(message) = document["savepoint_error"].as_str() {
        let error = EngineError::new(ErrorKind::FixInput, format!("{}: {message}", text_of(&document, "job")));
        tell(context, &Failure::Engine(error.with_hint(text_of(&document, "savepoint_hint"))));
    }
    Ok(if good && (savepoint.is_none() || document["savepoint"].is_string()) { 0 } else { FAILED })
}

/// Stops a job at once.
pub(super) fn cancel(context: &Context, job: &str) -> Result<u8, Failure> {
    let document = JobClient::find(job)?.post("/v1/cancel", &json!({}))?;
    context
        .print(&document, || format!("{} {}\n{}", text_of(&document, "job"), text_of(&document, "outcome"), why_it_failed(&document)))?;
    Ok(0)
}

/// The error of a job that has failed, and what to do.
fn why_it_failed(document: &Value) -> String {
    let line = |field: &str, before: &str| document[field].as_str().map(|text| format!("  {before}{text}\n")).unwrap_or_default();
    line("error", "") + &line("hint", "hint: ")
}

/// Has a checkpoint taken.
pub(super) fn trigger(context: &Context, job: &str) -> Result<u8, Failure> {
    let client = JobClient::find(job)?;
    context.screen.notice("waiting for the checkpoint to complete");
    let document = client.post("/v1/checkpoints", &json!({}))?;
    context.print_done(&document, || {
        let took = document["duration_ms"].as_u64().map(|ms| format!(" in {ms} ms")).unwrap_or_default();
        let bytes = document["bytes"].as_u64().map(|bytes| format!(", {}", bytes_text(bytes))).unwrap_or_default();
        format!("{} of {} complete{took}{bytes}\n", checkpoint_text(&document), text_of(&document, "job"))
    })?;
    Ok(0)
}

/// Takes a savepoint of a running job.
pub(super) fn create_savepoint(context: &Context, args: &SavepointCreateArgs) -> Result<u8, Failure> {
    let client = JobClient::find(&args.job)?;
    let url = args.url.as_deref().map(savepoint_url).transpose()?;
    context.screen.notice("taking the savepoint");
    let document = client.post("/v1/savepoints", &json!(SavepointRequest { url, unaligned: args.unaligned }))?;
    context.print_done(&document, || {
        format!("savepoint of {}, {}: {}\n", text_of(&document, "job"), checkpoint_text(&document), text_of(&document, "url"))
    })?;
    Ok(0)
}

/// Gives a running job another parallelism.
pub(super) fn rescale(context: &Context, args: &RescaleArgs) -> Result<u8, Failure> {
    let client = JobClient::find(&args.job)?;
    context.screen.notice("rescaling");
    let request = RescaleRequest { parallelism: args.parallelism, operator: args.operator.clone() };
    let document = client.post("/v1/rescale", &json!(request))?;
    context.print_done(&document, || rescale_text(&document, args.operator.as_deref()))?;
    Ok(0)
}

fn rescale_text(document: &Value, operator: Option<&str>) -> String {
    let left_alone: Vec<String> =
        document["left_alone"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|id| format!("`{id}`")).collect();
    let what = match (operator, &left_alone[..]) {
        (Some(id), _) => format!("`{id}`"),
        (None, []) => "every step".to_owned(),
        (None, ids) => format!("every step but {}", ids.join(" and ")),
    };
    let (job, parallelism, from) = (text_of(document, "job"), &document["parallelism"], checkpoint_text(document));
    let pause = document["pause_ms"].as_f64().unwrap_or_default();
    format!("{job}: {what} has parallelism {parallelism} from {from} on; nothing came out for {pause:.0} ms\n")
}

/// Lets another component take over in a running job.
pub(super) fn upgrade(context: &Context, args: &UpgradeArgs) -> Result<u8, Failure> {
    let client = JobClient::find(&args.job)?;
    let name = args.plugin.display().to_string();
    let component = component(&args.plugin)?;
    let before = status_of(&client)?.change.map(|change| change.id);
    context.screen.notice("upgrading: compiling the new component and comparing its states");
    let query = [
        ("operator", args.operator.clone()),
        ("name", name),
        ("probation_ms", args.probation.as_millis().to_string()),
        ("allow_repeat", args.allow_repeat.to_string()),
    ];
    let phases = |change: &ChangeDocument| match (change.phase.as_str(), change.checkpoint) {
        ("probation", Some(id)) => {
            format!("on probation behind checkpoint {id}; output is held back until its {:?} are over", *args.probation)
        }
        (phase, _) => phase.to_owned(),
    };
    let is_ours = |change: &ChangeDocument| is_upgrade_since(change, &args.operator, before);
    let document = watched(context, &client, &is_ours, &phases, || client.post_bytes("/v1/upgrade", &query, &component))?;
    let accepted = document["outcome"] == "accepted";
    context.print_done(&document, || upgrade_text(&document, &args.operator))?;
    Ok(if accepted { 0 } else { FAILED })
}

/// The new plugin, no further than one may be long.
fn component(path: &Path) -> Result<Vec<u8>, Failure> {
    weir_wasm::read_plugin(path).map_err(|error| Failure::Usage {
        message: error.to_string(),
        hint: error.hint().unwrap_or("name a component, or a core module that carries its type").to_owned(),
    })
}

/// Whether a change is the upgrade of this operator that was asked for when the change `before`, if any, was under way.
fn is_upgrade_since(change: &ChangeDocument, operator: &str, before: Option<u64>) -> bool {
    change.what == "upgrade" && change.operator.as_deref() == Some(operator) && Some(change.id) != before
}

fn upgrade_text(document: &Value, operator: &str) -> String {
    let (job, pause) = (text_of(document, "job"), document["pause_ms"].as_f64().unwrap_or_default());
    let (behind, reason) = (checkpoint_text(document), text_of(document, "reason"));
    if document["outcome"] == "accepted" {
        return format!("{job}: `{operator}` is upgraded, behind {behind}; no subtask stood still for longer than {pause:.1} ms\n");
    }
    let back = match (document["checkpoint"].is_u64(), document["savepoint"].as_str()) {
        (true, _) => format!("is rolled back to {behind}"),
        (false, Some(url)) => format!("is rolled back to the savepoint {url}, before the first checkpoint"),
        (false, None) => "is rolled back before the first checkpoint: the job goes on from its beginning".to_owned(),
    };
    format!("{job}: the upgrade of `{operator}` {back}\n  {reason}\n")
}

/// Upgrades an operator, and says meanwhile how far the job has come with it.
fn watched(
    context: &Context,
    client: &JobClient,
    is_ours: &(dyn Fn(&ChangeDocument) -> bool + Sync),
    phase: &(dyn Fn(&ChangeDocument) -> String + Sync),
    work: impl FnOnce() -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let (done, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut shown = None;
            while ended.recv_timeout(WATCH) == Err(RecvTimeoutError::Timeout) {
                let Some(change) = status_of(client).ok().and_then(|status| status.change) else { continue };
                if is_ours(&change) && change.phase != "preparing" && shown.replace(change.phase.clone()) != Some(change.phase.clone()) {
                    context.screen.notice(&phase(&change));
                }
            }
        });
        let done_with = work();
        drop(done);
        done_with
    })
}

fn text_of<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap_or("?")
}

fn checkpoint_text(document: &Value) -> String {
    document["checkpoint"].as_u64().map_or("without a checkpoint".to_owned(), |id| format!("checkpoint {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rescale_names_the_steps_that_it_leaves_alone() {
        let text = |operator: Option<&str>, left_alone: &[&str]| {
            let document = json!({ "job": "j", "parallelism": 4, "checkpoint": 7, "pause_ms": 1.6, "left_alone": left_alone });
            rescale_text(&document, operator)
        };
        let from = "has parallelism 4 from checkpoint 7 on; nothing came out for 2 ms\n";
        assert_eq!(text(None, &[]), format!("j: every step {from}"));
        assert_eq!(text(None, &["in", "out"]), format!("j: every step but `in` and `out` {from}"));
        assert_eq!(text(Some("a"), &[]), format!("j: `a` {from}"));
    }

    #[test]
    fn another_upgrade_of_the_same_operator_is_not_taken_for_the_one_that_was_asked_for() {
        let change = |id, what: &str, operator: &str| ChangeDocument {
            id,
            what: what.into(),
            operator: Some(operator.into()),
            phase: "probation".into(),
            checkpoint: Some(12),
        };
        assert!(!is_upgrade_since(&change(3, "upgrade", "a"), "a", Some(3)), "it was under way before");
        assert!(is_upgrade_since(&change(4, "upgrade", "a"), "a", Some(3)));
        assert!(is_upgrade_since(&change(1, "upgrade", "a"), "a", None));
        assert!(!is_upgrade_since(&change(4, "upgrade", "b"), "a", Some(3)));
        assert!(!is_upgrade_since(&change(4, "rescale", "a"), "a", Some(3)));
    }

    #[test]
    fn a_job_that_failed_says_why_and_what_to_do() {
        let failed = json!({ "error": "it is given up", "hint": "`stop-timeout` gives a stop more time" });
        assert_eq!(why_it_failed(&failed), "  it is given up\n  hint: `stop-timeout` gives a stop more time\n");
        assert_eq!(why_it_failed(&json!({ "error": null, "hint": null })), "");
    }

    #[test]
    fn a_plugin_is_not_read_further_than_one_may_be_long() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("endless.wasm");
        std::fs::File::create(&path).and_then(|file| file.set_len(4 * weir_wasm::PLUGIN_BYTES)).expect("a file of holes");
        let read = component(&path).map(|bytes| bytes.len() as u64);
        assert!(read.as_ref().map_or(true, |&bytes| bytes <= weir_wasm::PLUGIN_BYTES + 1), "{read:?}");
        let missing = component(&folder.path().join("missing.wasm")).expect_err("there is none");
        assert_eq!(missing.exit_code(), 2);
        assert!(missing.text().contains("missing.wasm"), "{}", missing.text());
    }

    #[test]
    fn an_upgrade_says_where_the_job_goes_on() {
        let text = |outcome: &str, checkpoint: Option<u64>| {
            let document = json!({ "job": "j", "outcome": outcome, "checkpoint": checkpoint, "pause_ms": 1.25, "reason": "it trapped" });
            upgrade_text(&document, "op")
        };
        let upgraded = "j: `op` is upgraded, behind checkpoint 7; no subtask stood still for longer than 1.2 ms\n";
        assert_eq!(text("accepted", Some(7)), upgraded);
        assert_eq!(text("rolled-back", Some(7)), "j: the upgrade of `op` is rolled back to checkpoint 7\n  it trapped\n");
        let early = "j: the upgrade of `op` is rolled back before the first checkpoint: the job goes on from its beginning\n  it trapped\n";
        assert_eq!(text("rolled-back", None), early);
    }
}
