//! `weir upgrade`: another component for an operator of a running job, watched until it is accepted or rolled back.

use super::status::status_of;
use super::{checkpoint_text, text_of};
use crate::api::ChangeDocument;
use crate::args::UpgradeArgs;
use crate::client::JobClient;
use crate::context::Context;
use crate::failure::{FAILED, Failure};
use crate::oci::Access;
use crate::start::{Named, NamedBy, named_plugin};
use bytes::Bytes;
use serde_json::Value;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};

/// How often a job is asked how far it has come.
const WATCH: Duration = Duration::from_millis(200);

/// Lets another component take over in a running job.
pub(in crate::commands) fn upgrade(context: &Context, args: &UpgradeArgs) -> Result<u8, Failure> {
    let client = JobClient::find(&args.job).map_err(|failure| if runs_not(args) { instead(failure, args) } else { failure })?;
    let Named { name, bytes: component, reference } = named_plugin(&context.screen, &args.plugin, &Access::of_process(false), component)?;
    let before = status_of(&client)?.change.map(|change| change.id);
    context.screen.notice("upgrading: compiling the new component and comparing its states");
    let mut query = vec![
        ("operator", args.operator.clone()),
        ("name", name),
        ("probation_ms", args.probation.as_millis().to_string()),
        ("allow_repeat", args.allow_repeat.to_string()),
    ];
    if let Some(NamedBy { reference, manifest }) = reference {
        query.push(("reference", reference));
        query.extend(manifest.map(|manifest| ("manifest", manifest)));
    }
    let phases = |change: &ChangeDocument| phase_text(change, *args.probation, args.allow_repeat);
    let is_ours = |change: &ChangeDocument| is_upgrade_since(change, &args.operator, before);
    let document = watched(context, &client, &is_ours, &phases, || client.post_bytes("/v1/upgrade", &query, &component))?;
    let accepted = document["outcome"] == "accepted";
    context.print_done(&document, || upgrade_text(&document, &args.operator))?;
    Ok(if accepted { 0 } else { FAILED })
}

/// How far an upgrade has come. Where output may come again, not every sink holds it back.
fn phase_text(change: &ChangeDocument, probation: Duration, allow_repeat: bool) -> String {
    let but = match allow_repeat {
        true => ", but not where a sink cannot take it back: what comes there meanwhile comes again if this is rolled back",
        false => "",
    };
    match (change.phase.as_str(), change.checkpoint) {
        ("probation", Some(id)) => {
            format!("on probation behind checkpoint {id}; output is held back until its {probation:?} are over{but}")
        }
        (phase, _) => phase.to_owned(),
    }
}

/// True where the job that is meant has a file and does not run.
fn runs_not(args: &UpgradeArgs) -> bool {
    Path::new(&args.job).is_file() && matches!(JobClient::look_for(&args.job), Ok(None))
}

/// What there is instead of an upgrade where the job does not run: the job file has the last word on what it goes on with.
fn instead(failure: Failure, UpgradeArgs { job, operator, plugin, .. }: &UpgradeArgs) -> Failure {
    // A path of the job file begins at its own folder.
    let plugin = std::path::absolute(plugin).ok().filter(|path| path.is_file()).unwrap_or_else(|| plugin.clone()).display().to_string();
    let moved = if plugin.starts_with("oci:") && !plugin.contains('@') {
        "; where that stands there already, and the tag has moved, with the `@sha256:…` behind it that `weir plugin inspect` tells"
    } else {
        ""
    };
    let hint = format!(
        "a component that a job begins with needs no upgrade: name it in the job file, as `plugin = {plugin:?}` of `[operator.{operator}]`: `weir run {job}` \
         then goes on with it from the newest checkpoint, and with `--from` from an older one or a savepoint{moved}"
    );
    EngineError::new(ErrorKind::FixInput, failure.text()).with_hint(hint).into()
}

/// The new plugin, no further than one may be long.
fn component(path: &Path) -> Result<Bytes, Failure> {
    weir_wasm::read_plugin(path).map(Bytes::from).map_err(|error| Failure::Usage {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(id: u64, what: &str, operator: &str) -> ChangeDocument {
        ChangeDocument {
            id,
            what: what.into(),
            operator: Some(operator.into()),
            phase: "probation".into(),
            checkpoint: Some(12),
            probation_ms: None,
            since_ms: None,
        }
    }

    #[test]
    fn output_is_said_to_be_held_back_where_every_sink_does_that() {
        let text = |allow_repeat| phase_text(&change(3, "upgrade", "a"), Duration::from_secs(30), allow_repeat);
        assert_eq!(text(false), "on probation behind checkpoint 12; output is held back until its 30s are over");
        assert!(text(true).contains("are over, but not where a sink cannot take it back"), "{}", text(true));
    }

    #[test]
    fn another_upgrade_of_the_same_operator_is_not_taken_for_the_one_that_was_asked_for() {
        assert!(!is_upgrade_since(&change(3, "upgrade", "a"), "a", Some(3)), "it was under way before");
        assert!(is_upgrade_since(&change(4, "upgrade", "a"), "a", Some(3)));
        assert!(is_upgrade_since(&change(1, "upgrade", "a"), "a", None));
        assert!(!is_upgrade_since(&change(4, "upgrade", "b"), "a", Some(3)));
        assert!(!is_upgrade_since(&change(4, "rescale", "a"), "a", Some(3)));
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
