//! The figures of a run as people read them: progress while it runs, a summary at its end. Pure.

use crate::documents::{LagDocument, Outcome, PluginDocument, RunCheckpoint, RunDocument, VertexFigures};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};
use weir_engine::metrics::LagUnit;

/// What a line of progress tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Since the start.
    pub elapsed: Duration,
    /// Records that the sources have read.
    pub records_in: u64,
    /// Records that the sinks have taken.
    pub records_out: u64,
    /// Records that the sources read per second, lately.
    pub records_per_s: f64,
    /// The newest completed checkpoint.
    pub checkpoint: Option<RunCheckpoint>,
    /// Restarts so far.
    pub restarts: u64,
}

/// One line of progress.
pub fn progress_line(figures: &Figures) -> String {
    let Figures { elapsed, records_in, records_out, records_per_s, checkpoint, restarts } = figures;
    let checkpoint = checkpoint.as_ref().map_or("no checkpoint yet".into(), checkpoint_text);
    let restarts = if *restarts > 0 { format!(" · {}", restarts_text(*restarts)) } else { String::new() };
    format!(
        "{:>5.1} s · {} in · {} out · {}/s · {checkpoint}{restarts}",
        elapsed.as_secs_f64(),
        grouped(*records_in),
        grouped(*records_out),
        grouped(records_per_s.round() as u64)
    )
}

fn checkpoint_text(checkpoint: &RunCheckpoint) -> String {
    format!("checkpoint {}: {} in {} ms", checkpoint.id, bytes_text(checkpoint.bytes), checkpoint.duration_ms)
}

fn restarts_text(restarts: u64) -> String {
    let word = if restarts == 1 { "restart" } else { "restarts" };
    format!("{} {word}", grouped(restarts))
}

/// The commands that a run's summary names.
pub struct NextCommands {
    /// Goes on with it.
    pub resume: String,
    /// Starts once more where it has finished, and what becomes of the output.
    pub anew: String,
    /// How a job would have read what has come since it finished, where it could have.
    pub follow: Option<String>,
}

/// What a run came to.
pub fn summary(run: &RunDocument, next: &NextCommands) -> String {
    let resume = &next.resume;
    let verb = match run.outcome {
        Outcome::Finished => "finished",
        Outcome::Stopped => "stopped",
        Outcome::Cancelled => "cancelled",
        Outcome::Failed => "failed",
        Outcome::Fenced => "taken over by another process",
        Outcome::AlreadyFinished => {
            let follow = next.follow.as_ref().map(|follow| format!("  {follow}\n")).unwrap_or_default();
            return format!("{} has finished already; {}\n{follow}", run.job, next.anew);
        }
    };
    let mut text = format!("{} {verb} after {:.2} s\n", run.job, run.wall_s);
    let width = run.vertices.iter().map(|vertex| vertex.id.len()).max().unwrap_or(0);
    for vertex in &run.vertices {
        text.push_str(&format!("  {}  {}\n", padded(&vertex.id, width), counted_text(&vertex.counted)));
        text.push_str(&plugin_text(vertex.counted.plugin.as_ref(), vertex.counted.records_in, width));
        text.push_str(&metrics_text(&vertex.counted.metrics, width));
    }
    if let Some(rate) = run.steady_records_per_s {
        let read = run.steady_records_read_per_s.filter(|read| (read - rate).abs() >= 0.5);
        let read = read.map(|read| format!(", {} records/s read", grouped(read.round() as u64))).unwrap_or_default();
        text.push_str(&format!("  {} records/s at the sinks once running{read}\n", grouped(rate.round() as u64)));
    }
    let last = run.checkpoints.items.last().map(|last| format!(", the last: {}", checkpoint_text(last))).unwrap_or_default();
    let checkpoints = if run.checkpoints.completed == 1 { "checkpoint" } else { "checkpoints" };
    text.push_str(&format!("  {} {checkpoints}{last}", grouped(run.checkpoints.completed)));
    if run.checkpoints.failed > 0 {
        text.push_str(&format!(", {} failed", grouped(run.checkpoints.failed)));
    }
    text.push_str(&format!(", {}, {} peak memory\n", restarts_text(run.restarts), bytes_text(run.peak_memory_bytes)));
    if run.outcome == Outcome::Stopped {
        text.push_str(&format!("  `{resume}` goes on from here\n"));
    }
    if run.outcome == Outcome::Cancelled {
        text.push_str(&format!("  `{resume}` goes on from the last checkpoint\n"));
    }
    text
}

/// An operator's own sums, a line each below its counters.
pub fn metrics_text(metrics: &BTreeMap<String, i64>, width: usize) -> String {
    let (sign, column) = (|sum: i64| if sum < 0 { "-" } else { "" }, padded("", width));
    metrics.iter().map(|(name, &sum)| format!("  {column}    {name} {}{}\n", sign(sum), grouped(sum.unsigned_abs()))).collect()
}

/// What an operator's plugin has taken, a line below its counters where there is something to say.
pub fn plugin_text(plugin: Option<&PluginDocument>, records: u64, width: usize) -> String {
    let Some(PluginDocument { instances_recycled, fuel, limits, .. }) = plugin else { return String::new() };
    let recycled = (*instances_recycled > 0).then(|| match instances_recycled {
        1 => "1 instance recycled".to_owned(),
        many => format!("{} instances recycled", grouped(*many)),
    });
    let fuel = fuel.map(|fuel| format!("{} fuel, {} a record", grouped(fuel), grouped(fuel / records.max(1))));
    let limits: Vec<String> = limits.iter().map(|(name, times)| format!("{name} {}", grouped(*times))).collect();
    let limits = (!limits.is_empty()).then(|| format!("stopped at its limits: {}", limits.join(", ")));
    let said: Vec<String> = [recycled, fuel, limits].into_iter().flatten().collect();
    if said.is_empty() { String::new() } else { format!("  {}    plugin: {}\n", padded("", width), said.join("; ")) }
}

/// A moment of event time, in ms since 1970; as a date where it lies within those that are written with four digits.
pub fn time_text(ms: i64) -> String {
    const YEAR_10_000: u64 = 253_402_300_800_000;
    match u64::try_from(ms).ok().filter(|ms| *ms < YEAR_10_000) {
        Some(ms) => humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string(),
        None => format!("{ms} ms since 1970"),
    }
}

/// What a vertex has counted, in one line; what there is none of is left out.
pub fn counted_text(counted: &VertexFigures) -> String {
    let aside = |count: u64, what: &str| if count > 0 { format!("  {} {what}", grouped(count)) } else { String::new() };
    let (quarantined, skipped) = (aside(counted.quarantined, "quarantined"), aside(counted.skipped, "skipped"));
    let late = aside(counted.late, "late");
    let open = aside(counted.open_windows, if counted.open_windows == 1 { "window open" } else { "windows open" });
    let ahead = aside(counted.ahead, "ahead of the clock");
    let (records_in, records_out) = (grouped(counted.records_in), grouped(counted.records_out));
    let state = if counted.state_bytes > 0 { format!("  {} of state", bytes_text(counted.state_bytes)) } else { String::new() };
    let lag = lag_text(counted.lag.as_ref());
    format!("{records_in:>13} in  {records_out:>13} out{quarantined}{late}{open}{skipped}{ahead}{state}{lag}")
}

/// How far a source lags, beside its other figures; nothing where it is up to date.
pub fn lag_text(lag: Option<&LagDocument>) -> String {
    let Some(LagDocument { unit, total, largest, largest_split: _, splits: _, unknown_splits }) = lag else { return String::new() };
    let unknown = match unknown_splits {
        0 => String::new(),
        1 => "lag not known of 1 split".into(),
        splits => format!("lag not known of {} splits", grouped(*splits)),
    };
    let amount = |amount: u64| match unit {
        Some(unit) if unit != LagUnit::Bytes.name() => format!("{} {unit}", grouped(amount)),
        Some(_) | None => bytes_text(amount),
    };
    let most = match (largest, total) {
        (Some(largest), Some(total)) if largest < total => format!(" (the most of one split: {})", amount(*largest)),
        (_, _) => String::new(),
    };
    match (total, unknown.as_str()) {
        (None | Some(0), "") => String::new(),
        (None, unknown) => format!("  {unknown}"),
        (Some(total), "") => format!("  {} behind{most}", amount(*total)),
        (Some(total), unknown) => format!("  {} behind{most}, {unknown}", amount(*total)),
    }
}

/// The widest column of a table: what is wider sticks out of its own row and leaves all others as they are.
pub const COLUMN_MAX: usize = 120;

/// A text with blanks behind it, up to `width` characters. The formatting machinery of the standard library takes no width above 65,535.
pub fn padded(text: &str, width: usize) -> String {
    let blanks = width.min(COLUMN_MAX).saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(blanks))
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that suits them.
pub fn bytes_text(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{RunCheckpoints, RunVertex, SCHEMA};

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts: Vec<_> = [0, 999, 1_000, 1_234_567].map(grouped).into();
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_column_is_padded_to_its_width_and_however_wide_no_further_than_its_bound() {
        assert_eq!((padded("é", 3), padded("abc", 2), padded("", 0)), ("é  ".into(), "abc".into(), String::new()));
        let wide = "x".repeat(1 << 17);
        assert_eq!((padded(&wide, wide.len()), padded("a", wide.len()).len()), (wide.clone(), COLUMN_MAX));
    }

    #[test]
    fn progress_tells_records_rate_and_the_last_checkpoint() {
        let mut figures = Figures { elapsed: Duration::from_millis(2_340), records_in: 12_000, records_out: 900, ..Figures::default() };
        figures.records_per_s = 5_128.2;
        assert_eq!(progress_line(&figures), "  2.3 s · 12,000 in · 900 out · 5,128/s · no checkpoint yet");
        figures.checkpoint = Some(RunCheckpoint { id: 7, duration_ms: 12, bytes: 2048 });
        assert_eq!((restarts_text(0), restarts_text(1)), ("0 restarts".into(), "1 restart".into()));
        figures.restarts = 2;
        assert_eq!(progress_line(&figures), "  2.3 s · 12,000 in · 900 out · 5,128/s · checkpoint 7: 2.0 KiB in 12 ms · 2 restarts");
    }

    #[track_caller]
    fn check_lag(unit: &str, total: u64, largest: u64, unknown_splits: u64, expect: &str) {
        let (unit, largest_split) = (Some(unit.into()), Some("a".into()));
        let lag = LagDocument { unit, total: Some(total), largest: Some(largest), largest_split, splits: Vec::new(), unknown_splits };
        assert_eq!(lag_text(Some(&lag)), expect);
    }

    #[test]
    fn a_lag_is_told_in_its_unit_with_that_of_the_split_that_lags_most_and_how_many_are_not_known() {
        assert_eq!(lag_text(None), "");
        check_lag("records", 0, 0, 0, "");
        check_lag("records", 1_234, 1_234, 0, "  1,234 records behind");
        check_lag("records", 1_234, 1_000, 0, "  1,234 records behind (the most of one split: 1,000 records)");
        check_lag("bytes", 4_096, 1_024, 12, "  4.0 KiB behind (the most of one split: 1.0 KiB), lag not known of 12 splits");
        check_lag("bytes", 0, 0, 1, "  0 B behind, lag not known of 1 split");
        let unknown = LagDocument { unknown_splits: 1_234, ..LagDocument::default() };
        assert_eq!(lag_text(Some(&unknown)), "  lag not known of 1,234 splits");
    }

    #[test]
    fn a_moment_is_a_date_where_it_can_be_one() {
        assert_eq!(time_text(1_357_034_400_250), "2013-01-01T10:00:00.250Z");
        assert_eq!(time_text(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        assert_eq!([-1, 253_402_300_800_000].map(time_text), ["-1 ms since 1970", "253402300800000 ms since 1970"]);
    }

    #[test]
    fn a_summary_tells_what_went_where_and_how_to_go_on() {
        let vertex = |id: &str, records_in, records_out, quarantined| RunVertex {
            id: id.into(),
            parallelism: 1,
            counted: VertexFigures { records_in, records_out, quarantined, ..VertexFigures::default() },
        };
        let mut run = RunDocument {
            schema: SCHEMA,
            job: "flights".into(),
            outcome: Outcome::Stopped,
            attempt: Some(1),
            resumed_from: None,
            from_savepoint: None,
            wall_s: 3.456,
            first_record_s: Some(0.2),
            steady_records_per_s: None,
            steady_records_read_per_s: None,
            vertices: vec![vertex("rows", 0, 27_004, 0), vertex("delays", 27_004, 26_398, 3)],
            checkpoints: RunCheckpoints { completed: 1, failed: 0, items: vec![RunCheckpoint { id: 1, duration_ms: 4, bytes: 1024 }] },
            restarts: 0,
            cpu_s: 1.0,
            peak_memory_bytes: 64 << 20,
            error: None,
            hint: None,
            problems: Vec::new(),
            places: Vec::new(),
        };
        let expect = "flights stopped after 3.46 s
  rows                0 in         27,004 out
  delays         27,004 in         26,398 out  3 quarantined
  1 checkpoint, the last: checkpoint 1: 1.0 KiB in 4 ms, 0 restarts, 64.0 MiB peak memory
  `weir run job.toml` goes on from here
";
        let next = NextCommands {
            resume: "weir run job.toml".into(),
            anew: "`weir run job.toml --fresh` starts over".into(),
            follow: Some("so it reads on".into()),
        };
        assert_eq!(summary(&run, &next), expect);
        (run.outcome, run.steady_records_per_s, run.steady_records_read_per_s) = (Outcome::Finished, Some(900.0), Some(1_200.4));
        run.vertices[1].counted.state_bytes = 2_048;
        run.vertices[0].counted.ahead = 1_234;
        (run.vertices[1].counted.late, run.vertices[1].counted.open_windows) = (1_500, 1_002);
        let limits = [("memory".to_owned(), 3), ("log-bytes-per-second".to_owned(), 1_000)].into();
        run.vertices[1].counted.plugin =
            Some(PluginDocument { instances_recycled: 2, fuel: Some(27_004_000), limits, ..PluginDocument::default() });
        run.vertices[1].counted.metrics = [("early".to_owned(), 1_234), ("late".to_owned(), -5)].into();
        let expect = "  rows                0 in         27,004 out  1,234 ahead of the clock
  delays         27,004 in         26,398 out  3 quarantined  1,500 late  1,002 windows open  2.0 KiB of state
            plugin: 2 instances recycled; 27,004,000 fuel, 1,000 a record; stopped at its limits: log-bytes-per-second 1,000, memory 3
            early 1,234
            late -5
  900 records/s at the sinks once running, 1,200 records/s read
";
        assert!(summary(&run, &next).contains(expect), "{}", summary(&run, &next));
        run.outcome = Outcome::AlreadyFinished;
        assert_eq!(summary(&run, &next), "flights has finished already; `weir run job.toml --fresh` starts over\n  so it reads on\n");
    }
}
