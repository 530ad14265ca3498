//! Every figure of a running job: what it is called, what it is, and where it is read.

use super::{Family, Read};
use prometheus_client::metrics::MetricType::{self, Counter, Gauge, Histogram};
use prometheus_client::registry::Unit;
use weir_engine::metrics::{LagUnit, VertexMetrics};

/// How many of a source's splits have a figure of their own: those that lag most.
const SPLITS: usize = 64;

const fn family(name: &'static str, kind: MetricType, unit: Option<Unit>, help: &'static str, read: Read) -> Family {
    Family { name, unit, help, kind, read }
}

/// In the order in which they are told.
pub(super) const FAMILIES: &[Family] = &[
    family(
        "weir_job_uptime",
        Gauge,
        Some(Unit::Seconds),
        "Since the job began to run in this process.",
        Read::Job(|look| Some(look.uptime.as_secs_f64())),
    ),
    family(
        "weir_job_running",
        Gauge,
        None,
        "1 while all subtasks run, 0 while they are started, restored or stopped.",
        Read::Job(|look| Some(f64::from(look.status.is_running()))),
    ),
    family(
        "weir_job_restarts",
        Counter,
        None,
        "Restarts of the dataflow in this process.",
        Read::Job(|look| Some(look.status.restarts.get() as f64)),
    ),
    family(
        "process_cpu",
        Counter,
        Some(Unit::Seconds),
        "Processor time of the process, user and system.",
        Read::Job(|look| Some(look.process.0)),
    ),
    family(
        "process_resident_memory",
        Gauge,
        Some(Unit::Bytes),
        "Memory that the process has now.",
        Read::Job(|look| Some(look.process.1 as f64)),
    ),
    family(
        "weir_checkpoints_completed",
        Counter,
        None,
        "Checkpoints that have completed in this process.",
        Read::Job(|look| Some(look.status.completed.get() as f64)),
    ),
    family(
        "weir_checkpoints_failed",
        Counter,
        None,
        "Checkpoints that have failed in this process.",
        Read::Job(|look| Some(look.status.failed.get() as f64)),
    ),
    family(
        "weir_checkpoint_duration",
        Histogram,
        Some(Unit::Seconds),
        "From the trigger of a completed checkpoint to the last acknowledgement.",
        Read::Checkpoints(|status| status.durations.get()),
    ),
    family(
        "weir_checkpoint_alignment",
        Histogram,
        Some(Unit::Seconds),
        "How long a task waited from a barrier's arrival on its first channel until it had come on all of them, or had overtaken.",
        Read::Checkpoints(|status| status.alignments.get()),
    ),
    family(
        "weir_checkpoint_last_size",
        Gauge,
        Some(Unit::Bytes),
        "All objects that the newest completed checkpoint wrote.",
        Read::Job(|look| Some(look.status.last_checkpoint()?.bytes as f64)),
    ),
    family(
        "weir_records_in",
        Counter,
        None,
        "Records that a subtask was given.",
        Read::Subtask(|subtask, _| Some(subtask.records_in.get() as f64)),
    ),
    family(
        "weir_records_out",
        Counter,
        None,
        "Records that a subtask emitted, without those that were set aside or came too late.",
        Read::Subtask(|subtask, _| Some(subtask.records_out.get() as f64)),
    ),
    family(
        "weir_in",
        Counter,
        Some(Unit::Bytes),
        "Bytes of the batches that a subtask was given, as they lie in memory.",
        Read::Subtask(|subtask, _| Some(subtask.bytes_in.get() as f64)),
    ),
    family(
        "weir_out",
        Counter,
        Some(Unit::Bytes),
        "Bytes of the records that a subtask emitted; where it emits some records of a batch, in proportion.",
        Read::Subtask(|subtask, _| Some(subtask.bytes_out.get() as f64)),
    ),
    family(
        "weir_batch_duration",
        Histogram,
        Some(Unit::Seconds),
        "How long an operator or a sink worked on a batch, without what came of it further down.",
        Read::Batches(|subtask| subtask.batch_time.get()),
    ),
    family(
        "weir_task_busy",
        Counter,
        Some(Unit::Seconds),
        "Time in which a task worked or waited for its thread. A task is called by its first vertex; what is chained to that runs in it.",
        Read::Subtask(|subtask, now| subtask.occupations.spent(now).map(|spent| spent.busy.as_secs_f64())),
    ),
    family(
        "weir_task_idle",
        Counter,
        Some(Unit::Seconds),
        "Time in which a task had nothing to do.",
        Read::Subtask(|subtask, now| subtask.occupations.spent(now).map(|spent| spent.idle.as_secs_f64())),
    ),
    family(
        "weir_task_backpressured",
        Counter,
        Some(Unit::Seconds),
        "Time in which a task had no room for what it would send, or its sink took nothing.",
        Read::Subtask(|subtask, now| subtask.occupations.spent(now).map(|spent| spent.backpressured.as_secs_f64())),
    ),
    family(
        "weir_records_quarantined",
        Counter,
        None,
        "Records that were set aside.",
        Read::Vertex(|metrics| Some(metrics.quarantined.get() as f64)),
    ),
    family(
        "weir_records_late",
        Counter,
        None,
        "Records that came too late for every window that they would have been put into.",
        Read::Vertex(|metrics| Some(metrics.late.get() as f64)),
    ),
    family(
        "weir_records_skipped",
        Counter,
        None,
        "Records that a source could not read and skipped.",
        Read::Vertex(|metrics| Some(metrics.skipped.get() as f64)),
    ),
    family(
        "weir_records_ahead",
        Counter,
        None,
        "Records of a source that were further ahead of the clock than `max-ahead`.",
        Read::Vertex(|metrics| Some(metrics.ahead.get() as f64)),
    ),
    family(
        "weir_watermark_timestamp",
        Gauge,
        Some(Unit::Seconds),
        "How far event time has come, since 1970; not there where nothing has been said of it.",
        Read::Vertex(|metrics| Some(metrics.watermark.get()? as f64 / 1e3)),
    ),
    family(
        "weir_state",
        Gauge,
        Some(Unit::Bytes),
        "State that an operator keeps, as it counts against `limits.state-bytes`.",
        Read::Vertex(|metrics| Some(metrics.state_bytes.get() as f64)),
    ),
    family(
        "weir_state_keys",
        Gauge,
        None,
        "Keys that an operator keeps state of, each window of a key for itself, as of the last barrier.",
        Read::Vertex(|metrics| Some(metrics.state_keys.sum() as f64)),
    ),
    family(
        "weir_timers",
        Gauge,
        None,
        "Timers that were set at the last barrier.",
        Read::Vertex(|metrics| Some(metrics.pending.get().timers as f64)),
    ),
    family(
        "weir_windows_open",
        Gauge,
        None,
        "Windows that were open at the last barrier.",
        Read::Vertex(|metrics| Some(metrics.open_windows.get() as f64)),
    ),
    family(
        "weir_source_lag_records",
        Gauge,
        None,
        "What there is to read and has not been, of all splits of which it is known in records.",
        Read::Vertex(|metrics| lag(metrics, LagUnit::Records)),
    ),
    family(
        "weir_source_lag",
        Gauge,
        Some(Unit::Bytes),
        "The same of those of which it is known in bytes.",
        Read::Vertex(|metrics| lag(metrics, LagUnit::Bytes)),
    ),
    family(
        "weir_source_split_lag_records",
        Gauge,
        None,
        "The lag of a split, for the 64 that lag most.",
        Read::Named("split", |metrics| lag_by_split(metrics, LagUnit::Records)),
    ),
    family(
        "weir_source_split_lag",
        Gauge,
        Some(Unit::Bytes),
        "The lag of a split, for the 64 that lag most.",
        Read::Named("split", |metrics| lag_by_split(metrics, LagUnit::Bytes)),
    ),
    family(
        "weir_connector_troubled",
        Gauge,
        None,
        "1 while a source does not get what there is, or what a sink has does not get to where it goes; `weir status` says why.",
        Read::Vertex(|metrics| Some(f64::from(metrics.trouble.get().is_some()))),
    ),
    family(
        "weir_unpublished",
        Gauge,
        Some(Unit::Bytes),
        "Output of completed checkpoints that waits to be published.",
        Read::Outbox(|outbox| Some(outbox.unpublished_bytes as f64)),
    ),
    family(
        "weir_unpublished_checkpoints",
        Gauge,
        None,
        "Checkpoints that have output that waits.",
        Read::Outbox(|outbox| Some(outbox.unpublished_checkpoints as f64)),
    ),
    family(
        "weir_unpublished_oldest_age",
        Gauge,
        Some(Unit::Seconds),
        "How long ago the oldest of them was complete.",
        Read::Outbox(|outbox| outbox.oldest_unpublished_age_s),
    ),
    family(
        "weir_outbox_full",
        Gauge,
        None,
        "1 while as much waits as may, and the sink takes nothing more.",
        Read::Outbox(|outbox| Some(f64::from(outbox.is_full))),
    ),
    family(
        "weir_outbox_retries",
        Gauge,
        None,
        "How often the target has been tried since it was reached last.",
        Read::Outbox(|outbox| Some(outbox.retries as f64)),
    ),
    family(
        "weir_plugin",
        Counter,
        Some(Unit::Seconds),
        "Time in calls of a plugin, what they asked of the host included; the rest of `weir_batch_duration_seconds_sum` is weir's own.",
        Read::Vertex(|metrics| Some(metrics.plugin.time_ns.get() as f64 / 1e9)),
    ),
    family(
        "weir_plugin_memory",
        Gauge,
        Some(Unit::Bytes),
        "Memories and tables of a plugin's instances, as of each one's last call.",
        Read::Vertex(|metrics| Some(metrics.plugin.memory.sum() as f64)),
    ),
    family(
        "weir_plugin_fuel",
        Counter,
        None,
        "Fuel of all calls of a plugin; zero where nobody counts it.",
        Read::Vertex(|metrics| Some(metrics.plugin.fuel.get() as f64)),
    ),
    family(
        "weir_plugin_recycled",
        Counter,
        None,
        "Instances of a plugin that were replaced because their memory had grown.",
        Read::Vertex(|metrics| Some(metrics.plugin.recycled.get() as f64)),
    ),
    family(
        "weir_plugin_limits",
        Counter,
        None,
        "How often a call came to an end at a limit; of `log-bytes-per-second`, how many lines were dropped.",
        Read::Named("limit", |metrics| metrics.plugin.limits.get().into_iter().map(|(limit, count)| (limit, count as f64)).collect()),
    ),
    family(
        "weir_plugin_metric",
        Gauge,
        None,
        "What a plugin counts itself, summed up over its subtasks; 256 names at most.",
        Read::Named("name", |metrics| metrics.own.get().into_iter().map(|(name, sum)| (name, sum as f64)).collect()),
    ),
];

fn lag(metrics: &VertexMetrics, unit: LagUnit) -> Option<f64> {
    metrics.lag.get().known.filter(|known| known.unit == unit).map(|known| known.total as f64)
}

fn lag_by_split(metrics: &VertexMetrics, unit: LagUnit) -> Vec<(String, f64)> {
    let known = metrics.lag.get().known.filter(|known| known.unit == unit);
    let most = known.into_iter().flat_map(|known| known.most);
    most.take(SPLITS).map(|(split, lag)| (split, lag as f64)).collect()
}
