//! `weir jobs` and `weir status`: which jobs run, and how one is doing.

use crate::api::{ChangeDocument, JobStatusDocument, LastError, ReferenceDocument, StatusOutbox};
use crate::client::{JobClient, running};
use crate::context::Context;
use crate::documents::SCHEMA;
use crate::failure::Failure;
use crate::figures::{bytes_text, counted_text, grouped, metrics_text, padded, plugin_text, time_text};
use crate::job_file::duration_text;
use crate::registry::Registered;
use serde_json::json;
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};

/// Lists the jobs that run.
pub(in crate::commands) fn jobs(context: &Context) -> Result<u8, Failure> {
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
pub(in crate::commands) fn status(context: &Context, job: &str) -> Result<u8, Failure> {
    let status = status_of(&JobClient::find(job)?)?;
    context.print(&status, || status_text(&status))?;
    Ok(0)
}

pub(super) fn status_of(client: &JobClient) -> Result<JobStatusDocument, Failure> {
    serde_json::from_value(client.status()?).map_err(|error| {
        let job = &client.registered.job;
        EngineError::new(ErrorKind::FixInput, format!("{job}: its weir answers in another way than this one expects: {error}")).into()
    })
}

fn reference_text(reference: Option<&ReferenceDocument>, width: usize) -> String {
    let Some(ReferenceDocument { named, manifest, component }) = reference else { return String::new() };
    let component: String = component.chars().take(8).collect();
    let manifest = manifest.as_ref().map(|manifest| format!(", there {manifest}")).unwrap_or_default();
    format!("  {:width$}  {named} is component {component}{manifest}\n", "")
}

/// A line for an outbox in which something waits, or whose target is not reached.
fn outbox_text(outbox: &StatusOutbox) -> String {
    let waits = outbox.oldest_unpublished.map(|oldest| {
        let full = if outbox.is_full { ", as much as may" } else { "" };
        let age = outbox.oldest_unpublished_age_s.map(|age| format!(", {age:.0} s old")).unwrap_or_default();
        let (bytes, checkpoints) = (bytes_text(outbox.unpublished_bytes), outbox.unpublished_checkpoints);
        format!("{bytes} of output to publish, of {checkpoints} checkpoints from {oldest} on{age}{full}")
    });
    let sink = &outbox.sink;
    let trouble = outbox.last_error.as_ref().map(|LastError { message, age_s }| match outbox.retries {
        0 => format!("reached again; {age_s:.0} s ago: {message}"),
        1 => message.clone(),
        retries => format!("{message} ({} tries)", grouped(retries)),
    });
    let said: Vec<String> = waits.into_iter().chain(trouble).collect();
    if said.is_empty() { String::new() } else { format!("  {sink}: {}\n", said.join("; ")) }
}

fn status_text(status: &JobStatusDocument) -> String {
    let JobStatusDocument { job, state, pid, uptime_s, job_file, storage, .. } = status;
    let mut text = format!("{job} {state} for {uptime_s:.0} s, process {pid}\n  {job_file}\n  {storage}\n");
    let width = status.vertices.iter().map(|vertex| vertex.id.len()).max().unwrap_or(0);
    for vertex in &status.vertices {
        let watermark = vertex.watermark.map(|watermark| format!("  watermark {}", time_text(watermark))).unwrap_or_default();
        let (id, counted) = (padded(&vertex.id, width), counted_text(&vertex.counted));
        text.push_str(&format!("  {id}  {:>3} ×  {counted}{watermark}\n", vertex.parallelism));
        // What keeps a sink from publishing stands below, with what waits for that.
        let is_below = status.outboxes.iter().any(|outbox| outbox.sink == vertex.id);
        if let Some(trouble) = vertex.trouble.as_ref().filter(|_| !is_below) {
            text.push_str(&format!("  {:width$}  {trouble}\n", ""));
        }
        text.push_str(&reference_text(vertex.reference.as_ref(), width));
        text.push_str(&plugin_text(vertex.counted.plugin.as_ref(), vertex.counted.records_in, width));
        text.push_str(&metrics_text(&vertex.counted.metrics, width));
    }
    let last = status
        .last_checkpoint
        .as_ref()
        .map_or("none yet".to_owned(), |last| format!("{} ({} ms, {})", last.id, last.duration_ms, bytes_text(last.bytes)));
    text.push_str(&format!(
        "  checkpoints: {} completed, {} failed, the last: {last}; restarts: {}\n",
        status.checkpoints_completed, status.checkpoints_failed, status.restarts
    ));
    status.outboxes.iter().for_each(|outbox| text.push_str(&outbox_text(outbox)));
    if let Some(ChangeDocument { id: _, what, operator, phase, checkpoint, probation_ms, since_ms: _ }) = &status.change {
        let operator = operator.as_ref().map(|id| format!(" of `{id}`")).unwrap_or_default();
        let behind = checkpoint.map(|id| format!(", behind checkpoint {id}")).unwrap_or_default();
        let lasts = probation_ms.map(|ms| format!(", for {}", duration_text(Duration::from_millis(ms)))).unwrap_or_default();
        text.push_str(&format!("  {what}{operator} under way: {phase}{lasts}{behind}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_has_a_line_where_something_waits_or_is_wrong() {
        let text = |checkpoints: u64, is_full: bool, trouble: Option<(u64, &str)>| {
            let oldest_unpublished = (checkpoints > 0).then_some(12);
            outbox_text(&StatusOutbox {
                sink: "out".to_owned(),
                unpublished_checkpoints: checkpoints,
                oldest_unpublished,
                unpublished_bytes: 2_048,
                oldest_unpublished_age_s: oldest_unpublished.map(|_| 7.3),
                is_full,
                retries: trouble.map_or(0, |(retries, _)| retries),
                last_error: trouble.map(|(_, message)| LastError { message: message.to_owned(), age_s: 90.0 }),
            })
        };
        assert_eq!(text(0, false, None), "");
        assert_eq!(text(3, false, None), "  out: 2.0 KiB of output to publish, of 3 checkpoints from 12 on, 7 s old\n");
        assert_eq!(
            text(3, true, Some((1, "no broker"))),
            "  out: 2.0 KiB of output to publish, of 3 checkpoints from 12 on, 7 s old, as much as may; no broker\n"
        );
        assert_eq!(text(0, false, Some((1_200, "no broker"))), "  out: no broker (1,200 tries)\n");
        assert_eq!(text(0, false, Some((0, "no broker"))), "  out: reached again; 90 s ago: no broker\n");
    }
}
