//! The head of a job file and the tables that a job has once: `[checkpoints]` and `[restart]`; `[api]` has a file of its own.

use super::model::Checkpoints;
use super::problem::Problem;
use super::section::{Located, Section};
use super::written::{duration, duration_text};
use serde_json::{Map, Value};
use toml::de::DeTable;
use weir_engine::checkpoint::{CheckpointConfig, CheckpointMode};
use weir_engine::element::BarrierAlignment;
use weir_engine::job::{RestartPolicy, RestartStrategy};
use weir_engine::storage::StorageUrl;

const NAME_MAX_BYTES: usize = 64;

/// What the head of the file says.
pub(super) struct Head {
    /// `name`; empty where it is missing or wrong.
    pub name: String,
    /// `parallelism`.
    pub parallelism: u32,
    /// Whether the file says it.
    pub says_parallelism: bool,
    /// `max-parallelism`.
    pub max_parallelism: u32,
}

/// Reads the head. `cores` is the default of `parallelism`.
pub(super) fn read_head(top: &Section<'_>, cores: u32) -> Head {
    let name = top.required("name");
    if let Some(name) = name.as_ref().filter(|name| !is_job_name(&name.value)) {
        let message = format!("`{}` is not a job's name", name.value);
        top.problem(Problem::new(name.span.clone(), message).hint("a name has 1 to 64 of the characters a-z, 0-9 and `-`"));
    }
    let max_parallelism = top.whole_or_default("max-parallelism") as u32;
    let said = top.whole("parallelism").map(|own| own.value as u32);
    let (parallelism, says_parallelism) = (said.unwrap_or_else(|| cores.clamp(1, max_parallelism)), said.is_some());
    Head { name: name.map(|name| name.value).unwrap_or_default(), parallelism, says_parallelism, max_parallelism }
}

fn is_job_name(name: &str) -> bool {
    (1..=NAME_MAX_BYTES).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Reads `[checkpoints]`.
pub(super) fn read_checkpoints(top: &Section<'_>) -> Checkpoints {
    let empty = DeTable::new();
    let section = top.table_or_empty("checkpoints", &empty);
    let storage = section.string_or_default("storage");
    check_storage(&section, &storage);
    let (mode, alignment) = read_barriers(&section);
    let config = CheckpointConfig {
        interval: section.duration_or_default("interval"),
        min_pause: section.duration_or_default("min-pause"),
        timeout: section.duration_or_default("timeout"),
        stop_timeout: section.duration_or_default("stop-timeout"),
        tolerate_failures: section.whole_or_default("tolerate-failures") as u32,
        max_concurrent: section.whole_or_default("max-concurrent") as usize,
        max_in_flight_bytes: section.size_or_default("max-in-flight-bytes"),
        // The job file has no setting for it.
        max_call_log_bytes: CheckpointConfig::default().max_call_log_bytes,
        mode,
        alignment,
    };
    let retain = section.whole_or_default("retain") as u32;
    Checkpoints { storage, config, retain, shown: section.finish() }
}

/// Reads `mode` and `unaligned`, which say what barriers do with the records in front of them.
fn read_barriers(section: &Section<'_>) -> (CheckpointMode, BarrierAlignment) {
    let modes = [("exactly-once", CheckpointMode::ExactlyOnce), ("at-least-once", CheckpointMode::AtLeastOnce)];
    let mode = section.choice("mode", &modes);
    let unaligned = section.string_or_default("unaligned");
    let (alignment, shown) = match unaligned.value.as_str() {
        "never" => (BarrierAlignment::Aligned, unaligned.value),
        "always" => (BarrierAlignment::Unaligned, unaligned.value),
        time => match duration(time) {
            Some(time) => (BarrierAlignment::AlignedFor(time), duration_text(time)),
            None => {
                let message = format!("`unaligned` of {} is `never`, `always` or a duration, not `{time}`", section.name);
                let hint = "`\"200ms\"`: aligned at first, unaligned where that takes longer";
                section.problem(Problem::new(unaligned.span, message).hint(hint));
                return (mode, BarrierAlignment::Aligned);
            }
        },
    };
    section.show("unaligned", shown);
    if mode == CheckpointMode::AtLeastOnce && alignment != BarrierAlignment::Aligned {
        let message = "at-least-once checkpoints hold no channel back, so there is nothing for a barrier to overtake";
        section.problem(Problem::new(unaligned.span, message).hint("leave `unaligned` out, or write `mode = \"exactly-once\"`"));
    }
    (mode, alignment)
}

fn check_storage(section: &Section<'_>, storage: &Located<String>) {
    let Err(bad) = StorageUrl::parse(&storage.value) else { return };
    let problem = Problem::new(storage.span.clone(), bad.message).hint(bad.hint);
    section.problem(if bad.not_built { problem.label("not built yet") } else { problem });
}

/// Reads `[restart]`: the policy, and its settings as they hold.
pub(super) fn read_restart(top: &Section<'_>) -> (RestartPolicy, Map<String, Value>) {
    let empty = DeTable::new();
    let section = top.table_or_empty("restart", &empty);
    let strategies = [RestartStrategy::Exponential, RestartStrategy::Fixed, RestartStrategy::None].map(|s| (s.name(), s));
    let policy = RestartPolicy {
        strategy: section.choice("strategy", &strategies),
        attempts: section.whole_or_default("attempts") as u32,
        delay: section.duration_or_default("delay"),
        max_delay: section.duration_or_default("max-delay"),
    };
    (policy, section.finish())
}
