//! What is shown of a running job: its status, and a look at all that it counts.

use super::RunningJob;
use crate::api::metrics::Look;
use crate::api::shown::StatusSubtask;
use crate::api::status::{JobStatusDocument, LastCheckpoint, StatusOutbox, StatusVertex};
use crate::documents::{SCHEMA, VertexFigures, runs_text};
use crate::process::{cpu_seconds, resident_memory_bytes};
use serde_json::{Value, json};
use weir_engine::job::ShownPlugin;

impl RunningJob {
    /// A look at all that it counts.
    pub fn look(&self) -> Look {
        let (parts, now) = (&self.0.parts, self.0.parts.runtime.clock.now());
        let vertices =
            parts.graph.vertices.iter().zip(&parts.status.metrics.vertices).map(|(shown, metrics)| (shown.id.clone(), metrics.clone()));
        Look {
            job: self.name(),
            vertices: vertices.collect(),
            outboxes: self.outboxes(),
            now,
            uptime: now.saturating_sub(self.0.began),
            process: (cpu_seconds(), resident_memory_bytes()),
            status: parts.status.clone(),
        }
    }

    fn outboxes(&self) -> Vec<StatusOutbox> {
        let parts = &self.0.parts;
        parts.status.outboxes().into_iter().map(|outbox| StatusOutbox::of(outbox, parts.runtime.clock.wall_ms())).collect()
    }

    /// What it runs and with which settings, as `weir check` says it; of an operator that was upgraded, or a step that was rescaled, as it is now.
    pub fn plan(&self) -> Value {
        let (mut plan, layout) = (self.0.parts.plan.clone(), self.0.parts.status.layout());
        let of_plan = plan.get_mut("vertices").and_then(Value::as_array_mut).into_iter().flatten();
        for (place, vertex) in of_plan.enumerate() {
            if let Some(ShownPlugin { name, version, digest }) = layout.plugins.get(place).and_then(Option::as_ref) {
                vertex["runs"] = runs_text(name, version, Some(digest)).into();
            }
            if let Some(parallelism) = layout.parallelism.get(place) {
                vertex["parallelism"] = json!(parallelism);
            }
        }
        plan
    }

    /// How it is doing.
    pub fn document(&self) -> JobStatusDocument {
        let (parts, status, shape) = (&self.0.parts, &self.0.parts.status, self.lock().clone());
        let (now, layout, shown) = (parts.runtime.clock.now(), status.layout(), &parts.graph.vertices);
        let plugin = |place: usize| layout.plugins.get(place).unwrap_or(&shown[place].plugin).clone();
        let vertex = |place: usize, (id, parallelism): (&String, u32)| {
            let (metrics, head) = (&status.metrics.vertices[place], layout.heads.get(place).copied().unwrap_or(place));
            let pending = metrics.pending.get();
            let subtasks = metrics.subtasks.all().into_iter().take(parallelism as usize).enumerate();
            StatusVertex {
                id: id.clone(),
                parallelism,
                kind: shown[place].kind.into(),
                connector: shown[place].connector.map(Into::into),
                task: shown[head].id.clone(),
                subtasks: subtasks.map(|(index, subtask)| StatusSubtask::of(index, &subtask, head == place, now)).collect(),
                counted: with_plugin(VertexFigures::of(metrics), plugin(place)),
                timers: pending.timers,
                oldest_timer_ms: pending.oldest_timer,
                oldest_window_ms: pending.oldest_window,
                watermark: metrics.watermark.get(),
                trouble: metrics.trouble.get(),
                reference: shape.reference(id),
            }
        };
        let ended = self.0.ended.borrow().as_ref().map(|ended| ended.outcome.clone());
        JobStatusDocument {
            schema: SCHEMA,
            job: self.name(),
            state: ended.unwrap_or_else(|| "running".into()),
            pid: std::process::id(),
            uptime_s: parts.runtime.clock.now().saturating_sub(self.0.began).as_secs_f64(),
            now_ms: parts.runtime.clock.wall_ms(),
            job_file: parts.job_file.clone(),
            storage: parts.storage.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            vertices: self.vertices().enumerate().map(|(place, of)| vertex(place, of)).collect(),
            edges: parts.graph.edges.clone(),
            running: self.is_running(),
            cpu_s: cpu_seconds(),
            memory_bytes: resident_memory_bytes(),
            checkpoints_completed: status.completed.get(),
            checkpoints_failed: status.failed.get(),
            last_checkpoint: status.last_checkpoint().map(|last| LastCheckpoint {
                id: last.checkpoint_id.0,
                duration_ms: last.duration_ms,
                bytes: last.bytes,
            }),
            restarts: status.restarts.get(),
            change: self.0.changes.now(),
            outboxes: self.outboxes(),
        }
    }
}

/// What a vertex has counted, with who its plugin is; nothing of a plugin where it runs none.
fn with_plugin(counted: VertexFigures, plugin: Option<ShownPlugin>) -> VertexFigures {
    let of_plugin = counted.plugin.clone().zip(plugin).map(|(taken, plugin)| taken.named(plugin));
    VertexFigures { plugin: of_plugin, ..counted }
}
