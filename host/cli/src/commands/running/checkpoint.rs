//! `weir checkpoint trigger` and `weir savepoint create`: what a running job is to store.

use super::{checkpoint_text, text_of};
use crate::api::SavepointRequest;
use crate::args::SavepointCreateArgs;
use crate::client::JobClient;
use crate::context::Context;
use crate::failure::Failure;
use crate::figures::bytes_text;
use crate::storage::savepoint_url;
use serde_json::json;

/// Has a checkpoint taken.
pub(in crate::commands) fn trigger(context: &Context, job: &str) -> Result<u8, Failure> {
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
pub(in crate::commands) fn create_savepoint(context: &Context, args: &SavepointCreateArgs) -> Result<u8, Failure> {
    let client = JobClient::find(&args.job)?;
    let url = args.url.as_deref().map(savepoint_url).transpose()?;
    context.screen.notice("taking the savepoint");
    let document = client.post("/v1/savepoints", &json!(SavepointRequest { url, unaligned: args.unaligned }))?;
    context.print_done(&document, || {
        format!("savepoint of {}, {}: {}\n", text_of(&document, "job"), checkpoint_text(&document), text_of(&document, "url"))
    })?;
    Ok(0)
}
