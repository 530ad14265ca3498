//! What a running job counts, as Prometheus reads it. `families` is the one list of all there is; the page `docs/metrics.md` and the answer of `/metrics` are made of it.

mod families;

use super::StatusOutbox;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabel, EncodeLabelSet, LabelSetEncoder, MetricEncoder, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::job::JobStatus;
use weir_engine::metrics::{Observed, SubtaskMetrics, VertexMetrics};

/// The content type of [`text`].
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A look at a running job, of which everything is told.
pub(crate) struct Look {
    pub job: String,
    pub status: Arc<JobStatus>,
    /// The ids of the vertices and their counters, in the graph's order.
    pub vertices: Vec<(String, Arc<VertexMetrics>)>,
    pub outboxes: Vec<StatusOutbox>,
    /// By the clock of the engine.
    pub now: Duration,
    /// Since the job began to run in this process.
    pub uptime: Duration,
    /// Seconds of processor time of the process, and its resident memory in bytes.
    pub process: (f64, u64),
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    /// It only rises.
    Count(f64),
    Gauge(f64),
    Times(Observed),
}

/// A kind of figure.
struct Family {
    /// Without the suffixes of its unit and of a counter.
    name: &'static str,
    unit: Option<Unit>,
    /// What it is, as a sentence without its end.
    help: &'static str,
    kind: MetricType,
    read: Read,
}

/// Where a family's figures come from, and so what labels they have.
enum Read {
    /// One of the whole job.
    Job(fn(&Look) -> Option<f64>),
    Checkpoints(fn(&JobStatus) -> Observed),
    /// `vertex`.
    Vertex(fn(&VertexMetrics) -> Option<f64>),
    /// `vertex`, and one more with this name.
    Named(&'static str, fn(&VertexMetrics) -> Vec<(String, f64)>),
    /// `vertex`, `subtask`.
    Subtask(fn(&SubtaskMetrics, Duration) -> Option<f64>),
    Batches(fn(&SubtaskMetrics) -> Observed),
    /// `vertex`: a sink with an outbox.
    Outbox(fn(&StatusOutbox) -> Option<f64>),
}

/// Name and value of each label.
struct Labels(Vec<(&'static str, String)>);

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| (*name, value.as_str()).encode(encoder.encode_label()))
    }
}

/// All figures at one time.
struct Told(Vec<(&'static Family, Vec<(Labels, Value)>)>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(family, _)| family.name)).finish()
    }
}

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (family, figures) in &self.0 {
            let mut family = encoder.encode_descriptor(family.name, family.help, family.unit.as_ref(), family.kind)?;
            figures.iter().try_for_each(|(labels, value)| value.encode(family.encode_family(labels)?))?;
        }
        Ok(())
    }
}

impl Value {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => encoder.encode_counter::<Labels, _, u64>(count, None),
            Self::Gauge(value) => encoder.encode_gauge(value),
            Self::Times(Observed { counts, count, sum_s }) => {
                // What lies beyond the last bound is told as the rest of all.
                let counts: Vec<(f64, u64)> = counts.iter().copied().filter(|(bound, _)| bound.is_finite()).collect();
                encoder.encode_histogram::<Labels>(*sum_s, *count, &counts, None)
            }
        }
    }
}

impl Family {
    fn number(&self, value: f64) -> Value {
        match self.kind {
            MetricType::Counter => Value::Count(value),
            _ => Value::Gauge(value),
        }
    }

    /// Its figures, with the labels of each.
    fn figures(&self, look: &Look) -> Vec<(Labels, Value)> {
        let number = |labels: Vec<(&'static str, String)>, value: Option<f64>| value.map(|value| (Labels(labels), self.number(value)));
        let vertex = |id: &str| vec![("vertex", id.to_owned())];
        let subtasks = || {
            look.vertices.iter().flat_map(|(id, metrics)| {
                let labels = |index: usize| vec![("vertex", id.clone()), ("subtask", index.to_string())];
                metrics.subtasks.all().into_iter().enumerate().map(move |(index, subtask)| (labels(index), subtask)).collect::<Vec<_>>()
            })
        };
        match self.read {
            Read::Job(read) => number(Vec::new(), read(look)).into_iter().collect(),
            Read::Checkpoints(read) => vec![(Labels(Vec::new()), Value::Times(read(&look.status)))],
            Read::Vertex(read) => look.vertices.iter().filter_map(|(id, metrics)| number(vertex(id), read(metrics))).collect(),
            Read::Named(name, read) => {
                let of = |(id, metrics): &(String, Arc<VertexMetrics>)| {
                    let labelled = |(value, figure)| number([vertex(id), vec![(name, value)]].concat(), Some(figure));
                    read(metrics).into_iter().filter_map(labelled).collect::<Vec<_>>()
                };
                look.vertices.iter().flat_map(of).collect()
            }
            Read::Subtask(read) => subtasks().filter_map(|(labels, subtask)| number(labels, read(&subtask, look.now))).collect(),
            Read::Batches(read) => subtasks()
                .map(|(labels, subtask)| (labels, read(&subtask)))
                .filter(|(_, observed)| observed.count > 0)
                .map(|(labels, observed)| (Labels(labels), Value::Times(observed)))
                .collect(),
            Read::Outbox(read) => look.outboxes.iter().filter_map(|outbox| number(vertex(&outbox.sink), read(outbox))).collect(),
        }
    }
}

/// Everything that is counted, in Prometheus' text format.
pub(crate) fn text(look: &Look) -> Result<String, fmt::Error> {
    let told = families::FAMILIES.iter().map(|family| (family, family.figures(look))).filter(|(_, figures)| !figures.is_empty());
    let mut registry = Registry::with_labels([("job_name".into(), look.job.clone().into())].into_iter());
    registry.register_collector(Box::new(Told(told.collect())));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
