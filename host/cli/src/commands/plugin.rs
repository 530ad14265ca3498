//! `weir plugin inspect`, `weir plugin check` and `weir plugin pack`, of a file or of what is in a registry.

use crate::args::PluginArgs;
use crate::context::Context;
use crate::documents::{PluginCheckDocument, PluginPackDocument, SCHEMA};
use crate::failure::{FAILED, Failure};
use crate::figures::bytes_text;
use crate::job_file::{PluginPlace, duration_text};
use crate::oci::Access;
use crate::projects::write_component;
use crate::start::{Named, named_plugin};
use bytes::Bytes;
use std::path::Path;
use std::time::Duration;
use weir_engine::operator::InputPartitioning;
use weir_engine::state::{StateTtl, TimeDomain};
use weir_wasm::{Plugin, PluginInfo, Verdict};

/// Shows what a plugin declares.
pub(super) fn inspect(context: &Context, args: &PluginArgs) -> Result<u8, Failure> {
    let read = |path: &Path| Ok(Bytes::from(weir_wasm::read_plugin(path)?));
    let Named { name, bytes, .. } = named_plugin(&context.screen, &args.plugin, &Access::of_process(args.insecure_http), read)?;
    let info = Plugin::from_bytes(&name, &bytes, &context.compiler.engine()?)?.info();
    context.print(&info, || info_text(&info))?;
    Ok(0)
}

/// Says whether a file is a plugin of this weir.
pub(super) fn check(context: &Context, args: &PluginArgs) -> Result<u8, Failure> {
    let (engine, access) = (context.compiler.engine()?, Access::of_process(args.insecure_http));
    let is_file = args.plugin.to_str().is_none_or(|written| PluginPlace::of(written) == Ok(PluginPlace::File));
    let verdict = if is_file {
        weir_wasm::check(&args.plugin, &engine)?
    } else {
        let Named { name, bytes, .. } = named_plugin(&context.screen, &args.plugin, &access, |_| Ok(Bytes::new()))?;
        weir_wasm::check_bytes(&name, &bytes, &engine)?
    };
    let (problems, imports) = match verdict {
        Verdict::Fits(info) => (Vec::new(), info.imports),
        Verdict::Unfit(problems) => (problems, Vec::new()),
    };
    let stand_ins = imports.into_iter().filter(|import| !import.starts_with("weir:")).collect();
    let document =
        PluginCheckDocument { schema: SCHEMA, file: args.plugin.display().to_string(), fits: problems.is_empty(), problems, stand_ins };
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
    text.push_str(&metadata_text(info));
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

/// What the component's sections say of it beside what the plugin declares; a name that is another, too.
fn metadata_text(info: &PluginInfo) -> String {
    let said = &info.metadata;
    let mut text = String::new();
    let differs = |said: &Option<String>, declared: &str| said.as_ref().is_some_and(|said| said != declared);
    if differs(&said.name, &info.name) || differs(&said.version, &info.version) {
        let (name, version) = (said.name.as_deref().unwrap_or("?"), said.version.as_deref().unwrap_or("?"));
        text.push_str(&format!("  its sections call it {name} {version}\n"));
    }
    let more = [
        ("description", &said.description),
        ("authors", &said.authors),
        ("licenses", &said.licenses),
        ("source", &said.source),
        ("homepage", &said.homepage),
        ("revision", &said.revision),
    ];
    for (what, value) in more {
        value.iter().for_each(|value| text.push_str(&format!("  {what}: {value}\n")));
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
