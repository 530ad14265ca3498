//! `weir stop` and `weir cancel`.

use super::{checkpoint_text, text_of};
use crate::api::StopRequest;
use crate::args::StopArgs;
use crate::client::JobClient;
use crate::context::{Context, tell};
use crate::failure::{FAILED, Failure};
use crate::storage::savepoint_url;
use serde_json::{Value, json};
use std::path::Path;
use weir_engine::{EngineError, ErrorKind};

/// Stops a job after a last checkpoint, or after the end of its input.
pub(in crate::commands) fn stop(context: &Context, args: &StopArgs) -> Result<u8, Failure> {
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
pub(in crate::commands) fn cancel(context: &Context, job: &str) -> Result<u8, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_failed_says_why_and_what_to_do() {
        let failed = json!({ "error": "it is given up", "hint": "`stop-timeout` gives a stop more time" });
        assert_eq!(why_it_failed(&failed), "  it is given up\n  hint: `stop-timeout` gives a stop more time\n");
        assert_eq!(why_it_failed(&json!({ "error": null, "hint": null })), "");
    }
}
