//! The head of a job file and the tables that a job has once: `[checkpoints]` and `[restart]`.

use super::model::Checkpoints;
use super::problem::Problem;
use super::section::{Located, Section};
use std::time::Duration;
use weir_engine::checkpoint::{CheckpointConfig, CheckpointMode};
use weir_engine::element::BarrierAlignment;
use weir_engine::job::{RestartPolicy, RestartStrategy};
use weir_engine::state::MAX_PARALLELISM_LIMIT;
use weir_engine::storage::StorageUrl;

const NAME_MAX_BYTES: usize = 64;

/// What the head of the file says.
pub(super) struct Head {
    /// `name`; empty where it is missing or wrong.
    pub name: String,
    /// `parallelism`.
    pub parallelism: u32,
    /// `max-parallelism`.
    pub max_parallelism: u32,
}

/// Reads the head. `cores` is the default of `parallelism`.
pub(super) fn read_head(top: &Section<'_>, cores: u32) -> Head {
    let limit = u64::from(MAX_PARALLELISM_LIMIT);
    let name = top.required("name", "\"my-job\"");
    if let Some(name) = name.as_ref().filter(|name| !is_job_name(&name.value)) {
        let message = format!("`{}` is not a job's name", name.value);
        top.problem(Problem::new(name.span.clone(), message).hint("a name has 1 to 64 of the characters a-z, 0-9 and `-`"));
    }
    let max_parallelism = top.integer("max-parallelism", 1..=limit).map_or(128, |max| max.value as u32);
    let parallelism = top.integer("parallelism", 1..=limit).map_or(cores.clamp(1, max_parallelism), |own| own.value as u32);
    Head { name: name.map(|name| name.value).unwrap_or_default(), parallelism, max_parallelism }
}

fn is_job_name(name: &str) -> bool {
    (1..=NAME_MAX_BYTES).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Reads `[checkpoints]`.
pub(super) fn read_checkpoints(top: &Section<'_>) -> Checkpoints {
    let storage = |span| Located { value: "file:.weir".to_string(), span };
    let mut read = Checkpoints { storage: storage(top.span.clone()), config: CheckpointConfig::default(), retain: 3 };
    let Some(section) = top.table("checkpoints") else { return read };
    read.storage = section.string("storage").filter(|storage| is_storage(&section, storage)).unwrap_or(storage(section.span.clone()));
    let config = &mut read.config;
    let at_least_a_ms = |duration: &Located<Duration>| {
        let fine = duration.value >= Duration::from_millis(1);
        if !fine {
            let problem = Problem::new(duration.span.clone(), "checkpoints are at least 1ms apart");
            section.problem(problem.hint("the default is `interval = \"1s\"`"));
        }
        fine
    };
    let time_to_complete = |timeout: &Located<Duration>| {
        let fine = timeout.value >= Duration::from_millis(1);
        if !fine {
            let problem = Problem::new(timeout.span.clone(), "no checkpoint can be complete in less than 1ms: each would fail");
            section.problem(problem.hint("the default is `timeout = \"10m\"`"));
        }
        fine
    };
    config.interval = section.duration("interval").filter(at_least_a_ms).map_or(config.interval, |interval| interval.value);
    config.min_pause = section.duration("min-pause").map_or(config.min_pause, |pause| pause.value);
    config.timeout = section.duration("timeout").filter(time_to_complete).map_or(config.timeout, |timeout| timeout.value);
    config.stop_timeout = section.duration("stop-timeout").map_or(config.stop_timeout, |timeout| timeout.value);
    config.tolerate_failures = section.integer("tolerate-failures", 0..=1_000_000).map_or(0, |failures| failures.value as u32);
    config.max_concurrent = section.integer("max-concurrent", 1..=1_000).map_or(config.max_concurrent, |most| most.value as usize);
    config.max_in_flight_bytes = section.size("max-in-flight-bytes").map_or(config.max_in_flight_bytes, |bytes| bytes.value);
    read_barriers(&section, config);
    read.retain = section.integer("retain", 1..=10_000).map_or(read.retain, |retain| retain.value as u32);
    section.finish();
    read
}

/// Reads `mode` and `unaligned`, which say what barriers do with the records in front of them.
fn read_barriers(section: &Section<'_>, config: &mut CheckpointConfig) {
    let modes = [("exactly-once", CheckpointMode::ExactlyOnce), ("at-least-once", CheckpointMode::AtLeastOnce)];
    config.mode = section.choice("mode", &modes).map_or(config.mode, |mode| mode.value);
    let Some(unaligned) = section.string("unaligned") else { return };
    let span = unaligned.span.clone();
    config.alignment = match unaligned.value.as_str() {
        "never" => BarrierAlignment::Aligned,
        "always" => BarrierAlignment::Unaligned,
        time => match humantime::parse_duration(time) {
            Ok(time) => BarrierAlignment::AlignedFor(time),
            Err(_) => {
                let message = format!("`unaligned` of {} is `never`, `always` or a duration, not `{time}`", section.name);
                section.problem(Problem::new(span, message).hint("`\"200ms\"`: aligned at first, unaligned where that takes longer"));
                return;
            }
        },
    };
    if config.mode == CheckpointMode::AtLeastOnce && config.alignment != BarrierAlignment::Aligned {
        let message = "at-least-once checkpoints hold no channel back, so there is nothing for a barrier to overtake";
        section.problem(Problem::new(span, message).hint("leave `unaligned` out, or write `mode = \"exactly-once\"`"));
    }
}

fn is_storage(section: &Section<'_>, storage: &Located<String>) -> bool {
    let Err(bad) = StorageUrl::parse(&storage.value) else { return true };
    let problem = Problem::new(storage.span.clone(), bad.message).hint(bad.hint);
    section.problem(if bad.not_built { problem.label("not built yet") } else { problem });
    false
}

/// Reads `[restart]`.
pub(super) fn read_restart(top: &Section<'_>) -> RestartPolicy {
    let mut read = RestartPolicy::default();
    let Some(section) = top.table("restart") else { return read };
    let strategies = [RestartStrategy::Exponential, RestartStrategy::Fixed, RestartStrategy::None].map(|s| (s.name(), s));
    read.strategy = section.choice("strategy", &strategies).map_or(read.strategy, |strategy| strategy.value);
    read.attempts = section.integer("attempts", 1..=1_000_000).map_or(read.attempts, |attempts| attempts.value as u32);
    read.delay = section.duration("delay").map_or(read.delay, |delay| delay.value);
    read.max_delay = section.duration("max-delay").map_or(read.max_delay, |delay| delay.value);
    section.finish();
    read
}
