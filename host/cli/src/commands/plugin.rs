//! `weir plugin inspect` and `weir plugin check`.

use super::Context;
use super::check::wasm_engine;
use crate::documents::{PluginCheckDocument, SCHEMA};
use crate::failure::{FAILED, Failure};
use crate::figures::bytes_text;
use std::path::Path;
use weir_wasm::{Plugin, PluginInfo};

/// Shows what a plugin declares.
pub(super) fn inspect(context: &Context, file: &Path) -> Result<u8, Failure> {
    let info = Plugin::load(file, &wasm_engine()?)?.info();
    context.print(&info, || info_text(&info))?;
    Ok(0)
}

/// Says whether a file is a plugin of this weir.
pub(super) fn check(context: &Context, file: &Path) -> Result<u8, Failure> {
    let engine = wasm_engine()?;
    let problems = weir_wasm::check(file, &engine);
    let imports = if problems.is_empty() { Plugin::load(file, &engine)?.info().imports } else { Vec::new() };
    let stand_ins = imports.into_iter().filter(|import| !import.starts_with("weir:")).collect();
    let document = PluginCheckDocument { schema: SCHEMA, file: file.display().to_string(), fits: problems.is_empty(), problems, stand_ins };
    context.print(&document, || check_text(&document))?;
    Ok(if document.fits { 0 } else { FAILED })
}

fn info_text(info: &PluginInfo) -> String {
    let mut text = format!("{} {}\n  {}, {}\n", info.name, info.version, info.digest, bytes_text(info.size));
    let mut line = |what: &str, name: &str, more: String| text.push_str(&format!("  {what:7} {name}{more}\n"));
    let schema = |schema: &weir_engine::operator::RecordSchema| format!("{} v{}", schema.id, schema.version);
    for input in &info.inputs {
        let accepts: Vec<_> = input.accepts.iter().map(schema).collect();
        line("input", &input.name, if accepts.is_empty() { String::new() } else { format!(": {}", accepts.join(", ")) });
    }
    for output in &info.outputs {
        line("output", &output.name, output.schema.as_ref().map(|of| format!(": {}", schema(of))).unwrap_or_default());
    }
    for state in &info.states {
        line("state", &state.name, format!(": {} v{} {}", format!("{:?}", state.kind).to_lowercase(), state.version, state.schema));
    }
    for timer in &info.timers {
        line("timer", &timer.name, if timer.event_time { ": event time" } else { ": processing time" }.to_owned());
    }
    for import in &info.imports {
        line("import", import, String::new());
    }
    text
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
