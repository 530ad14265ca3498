//! `weir plugin inspect`, `weir plugin check` and `weir plugin pack`.

use crate::context::Context;
use crate::documents::{PluginCheckDocument, PluginPackDocument, SCHEMA};
use crate::failure::{FAILED, Failure};
use crate::figures::bytes_text;
use crate::job_file::duration_text;
use crate::projects::write_component;
use std::path::Path;
use std::time::Duration;
use weir_engine::operator::InputPartitioning;
use weir_engine::state::{StateTtl, TimeDomain};
use weir_wasm::{Plugin, PluginInfo, Verdict};

/// Shows what a plugin declares.
pub(super) fn inspect(context: &Context, file: &Path) -> Result<u8, Failure> {
    let info = Plugin::load(file, &context.compiler.engine()?)?.info();
    context.print(&info, || info_text(&info))?;
    Ok(0)
}

/// Says whether a file is a plugin of this weir.
pub(super) fn check(context: &Context, file: &Path) -> Result<u8, Failure> {
    let (problems, imports) = match weir_wasm::check(file, &context.compiler.engine()?)? {
        Verdict::Fits(info) => (Vec::new(), info.imports),
        Verdict::Unfit(problems) => (problems, Vec::new()),
    };
    let stand_ins = imports.into_iter().filter(|import| !import.starts_with("weir:")).collect();
    let document = PluginCheckDocument { schema: SCHEMA, file: file.display().to_string(), fits: problems.is_empty(), problems, stand_ins };
    context.print(&document, || check_text(&document))?;
    Ok(if document.fits { 0 } else { FAILED })
}

/// Writes the component that a core module stands for, once that is known to be a plugin of this weir.
pub(super) fn pack(context: &Context, module: &Path, component: &Path) -> Result<u8, Failure> {
    let info = write_component(module, component, &context.compiler.engine()?)?;
    let document = PluginPackDocument { schema: SCHEMA, file: component.display().to_string(), digest: info.digest, size: info.size };
    context.print_done(&document, || {
        let PluginPackDocument { file, digest, size, .. } = &document;
        format!("{file}: {} {}, {digest}, {}\n", info.name, info.version, bytes_text(*size))
    })?;
    Ok(0)
}

fn info_text(info: &PluginInfo) -> String {
    let mut text = format!("{} {}\n  {}, {}\n", info.name, info.version, info.digest, bytes_text(info.size));
    if info.windowed {
        text.push_str("  windowed: its state is kept by key and window\n");
    }
    let mut line = |what: &str, name: &str, more: String| text.push_str(&format!("  {what:7} {name}{more}\n"));
    let schema = |schema: &weir_engine::operator::RecordSchema| format!("{} v{}", schema.id, schema.version);
    for input in &info.inputs {
        let accepts: Vec<_> = input.accepts.iter().map(schema).collect();
        let partitioning = match input.partitioning {
            InputPartitioning::Any => "",
            InputPartitioning::ByKey => ", by key",
            InputPartitioning::Broadcast => ", broadcast",
        };
        let accepts = if accepts.is_empty() { String::new() } else { format!(": {}", accepts.join(", ")) };
        line("input", &input.name, format!("{accepts}{partitioning}"));
    }
    for output in &info.outputs {
        line("output", &output.name, output.schema.as_ref().map(|of| format!(": {}", schema(of))).unwrap_or_default());
    }
    for state in &info.states {
        let merges = if info.merging.contains(&state.name) { ", merges" } else { "" };
        let kind = format!("{:?}", state.kind).to_lowercase();
        let lives = state.ttl.map(|ttl| lives_text(&ttl)).unwrap_or_default();
        line("state", &state.name, format!(": {kind} v{} {}{merges}{lives}", state.version, state.schema));
    }
    for timer in &info.timers {
        line("timer", &timer.name, if timer.event_time { ": event time" } else { ": processing time" }.to_owned());
    }
    for import in &info.imports {
        line("import", import, String::new());
    }
    text
}

/// How long what is kept of a state lives.
fn lives_text(ttl: &StateTtl) -> String {
    let time = match ttl.time {
        TimeDomain::Event => "event time",
        TimeDomain::Processing => "processing time",
    };
    let refresh = if ttl.refresh_on_read { "written or read" } else { "written" };
    format!(", lives {} of {time} since it was {refresh}", duration_text(Duration::from_millis(ttl.ms)))
}

fn check_text(document: &PluginCheckDocument) -> String {
    if document.fits {
        let mut text = format!("{} is a plugin of this weir\n", document.file);
        for import in &document.stand_ins {
            text.push_str(&format!("  imports {import}, which gives nothing here\n"));
        }
        return text;
    }
    let mut text = format!("{} is not a plugin of this weir\n", document.file);
    for problem in &document.problems {
        text.push_str(&format!("  {}\n", problem.what));
        if let Some(hint) = &problem.hint {
            text.push_str(&format!("    hint: {hint}\n"));
        }
    }
    text
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_said_in_words() {
        let ttl = StateTtl { ms: 5_400_000, time: TimeDomain::Event, refresh_on_read: true };
        assert_eq!(lives_text(&ttl), ", lives 1h 30m of event time since it was written or read");
        let ttl = StateTtl { ms: 500, time: TimeDomain::Processing, refresh_on_read: false };
        assert_eq!(lives_text(&ttl), ", lives 500ms of processing time since it was written");
    }
}
