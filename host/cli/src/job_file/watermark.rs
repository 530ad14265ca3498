//! `watermark` of a source: how its event time is told.

use super::model::Watermark;
use super::problem::Problem;
use super::section::Section;
use super::written::{duration, duration_text};
use std::time::Duration;
use weir_engine::time::WatermarkSettings;

/// What stands for no duration.
const NEVER: &str = "never";

/// Reads it, where the step has it.
pub(super) fn read(step: &Section<'_>) -> Option<Watermark> {
    let span = step.place("watermark");
    step.show("watermark", serde_json::Value::Null);
    let section = step.table("watermark")?;
    let idle_after = read_idle_after(&section);
    let settings = WatermarkSettings {
        delay: section.duration_or_default("delay"),
        idle_after,
        advance_when_idle: section.flag("advance-when-idle"),
        max_ahead: section.duration("max-ahead"),
        in_order: section.choice_or("order", &[("name", true)], |_| None).is_some(),
    };
    if settings.advance_when_idle && idle_after.is_none() {
        let place = section.place("advance-when-idle").unwrap_or(section.span.clone());
        let message = format!("with `idle-after = \"{NEVER}\"` no split is ever idle, so time never goes on by the clock");
        section.problem(Problem::new(place, message).hint("say `idle-after`, or leave `advance-when-idle` out"));
    }
    let order = section.place("order");
    let span = span.unwrap_or(section.span.clone());
    step.show("watermark", section.finish());
    Some(Watermark { settings, span, order })
}

fn read_idle_after(section: &Section<'_>) -> Option<Duration> {
    let said = section.string_or_default("idle-after");
    if said.value == NEVER {
        return None;
    }
    let read = duration(&said.value);
    match read {
        Some(read) => section.show("idle-after", duration_text(read)),
        None => {
            let message = format!("`idle-after` of {} is a duration or `{NEVER}`, not `{}`", section.name, said.value);
            section.problem(Problem::new(said.span, message).hint("for example `idle-after = \"30s\"`"));
        }
    }
    read
}
