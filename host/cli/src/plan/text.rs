//! The plan for people.

use super::PlanDocument;
use super::restore::restore_text;
use crate::figures::{bytes_text, padded};
use serde_json::{Map, Value};

/// The plan for people.
pub fn plan_text(plan: &PlanDocument) -> String {
    let mut text = format!("{} ({}): parallelism {}, {} key groups\n", plan.job, plan.file, plan.parallelism, plan.max_parallelism);
    let width = plan.vertices.iter().map(|vertex| vertex.id.len()).max().unwrap_or(0);
    text.push_str("\nvertices\n");
    for vertex in &plan.vertices {
        text.push_str(&format!("  {}  {:8}  {} × {}\n", padded(&vertex.id, width), vertex.kind, vertex.parallelism, vertex.runs));
        settings_lines(&vertex.settings, width + 4, &mut text);
        for timer in &vertex.timers {
            text.push_str(&format!("{}timer {}: {}\n", padded("", width + 4), timer.name, timer.time.text()));
        }
    }
    text.push_str("\nedges\n");
    for edge in &plan.edges {
        let output = if ["out", "main"].contains(&edge.output.as_str()) { String::new() } else { format!(".{}", edge.output) };
        let chained = if edge.chained { ", chained" } else { "" };
        let input = edge.input_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        text.push_str(&format!("  {}{output} → {}{input}  {}{chained}\n", edge.from, edge.to, edge.by));
    }
    text.push_str("\ntasks\n");
    for chain in &plan.chains {
        text.push_str(&format!("  {}\n", chain.join(" → ")));
    }
    text.push_str("\ncheckpoints\n");
    settings_lines(&plan.checkpoints, 2, &mut text);
    text.push_str("\nrestart\n");
    settings_lines(&plan.restart, 2, &mut text);
    text.push_str("\napi\n");
    settings_lines(&plan.api, 2, &mut text);
    text.push_str("\nafter a failure\n");
    for path in &plan.paths {
        text.push_str(&format!("  {} → {}: {}; {}\n", path.source, path.sink, path.delivery.text(), path.why));
    }
    if !plan.orders.is_empty() {
        text.push_str("\norder of records\n");
    }
    for order in &plan.orders {
        text.push_str(&format!("  {} → {}: {}; {}\n", order.source, order.operator, order.order.text(), order.why));
    }
    text.push_str("\ntime of records\n");
    for time in &plan.times {
        let watermarks = time.watermarks.as_ref().map(|words| format!("; {words}")).unwrap_or_default();
        text.push_str(&format!("  {}: {}{watermarks}\n", time.step, time.timestamps.as_deref().unwrap_or("none")));
    }
    if !plan.remarks.is_empty() {
        text.push_str("\ninput\n");
    }
    plan.remarks.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    if let Some(restore) = &plan.restore {
        restore_text(restore, &mut text);
    }
    text
}

fn settings_lines(settings: &Map<String, Value>, indent: usize, text: &mut String) {
    for (key, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
        let value = if key == "limits" { in_units(value) } else { value.clone() };
        text.push_str(&format!("{}{key} = {value}\n", padded("", indent)));
    }
    let unset: Vec<&str> = settings.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key.as_str()).collect();
    if !unset.is_empty() {
        text.push_str(&format!("{}not set: {}\n", padded("", indent), unset.join(", ")));
    }
}

/// Sizes that are whole numbers of bytes and of no larger unit, as what follows from the machine often is, in the unit that fits them.
fn in_units(value: &Value) -> Value {
    match value {
        Value::Object(settings) => settings.iter().map(|(name, value)| (name.clone(), in_units(value))).collect(),
        Value::String(text) => {
            let size = text.split_once('B').and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
            let size = size.filter(|(_, rest)| rest.is_empty() || rest.starts_with(' '));
            size.map_or_else(|| value.clone(), |(bytes, rest)| format!("{}{rest}", bytes_text(bytes)).into())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_of_odd_bytes_are_shown_in_the_unit_that_fits_them() {
        let limits = json!({ "state-bytes": "12637442048B (half of the memory)", "memory": "64MiB", "time-per-batch": "1s", "compile": { "memory": "554123456B", "time": null } });
        let shown = json!({ "state-bytes": "11.8 GiB (half of the memory)", "memory": "64MiB", "time-per-batch": "1s", "compile": { "memory": "528.5 MiB", "time": null } });
        let mut text = String::new();
        settings_lines(json!({ "limits": limits, "path": "7B" }).as_object().expect("settings"), 0, &mut text);
        assert_eq!(text, format!("limits = {shown}\npath = \"7B\"\n"));
    }
}
