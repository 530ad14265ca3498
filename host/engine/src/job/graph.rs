//! The job graph: vertices and the edges between them.

use crate::checkpoint::{EdgeIdentity, GraphIdentity, VertexIdentity};
use crate::exchange::Partitioning;
use crate::operator::{LATE_NAME, LATE_OUTPUT, OperatorFactory, QUARANTINE_NAME, QUARANTINE_OUTPUT, RecordSchema, Subtask};
use crate::sink::Sink;
use crate::source::Source;
use crate::state::{StateDescriptor, WindowSettings, range_of};
use crate::task::SubtaskPlace;
use crate::time::WatermarkSettings;
use std::sync::Arc;

/// A job as it is to run. The caller has checked it: edges name vertices that exist, there is no cycle, `forward` edges join equal
/// parallelism, operators with states have a `key` input.
#[derive(Clone)]
pub struct JobGraph {
    /// The job's name.
    pub name: String,
    /// Number of key groups.
    pub max_parallelism: u32,
    /// In topological order.
    pub vertices: Vec<Vertex>,
    /// Edges; the order of those into one vertex is the order of its channels.
    pub edges: Vec<Edge>,
}

/// One step of a job.
#[derive(Clone)]
pub struct Vertex {
    /// The id in the job file: the identity of its state.
    pub id: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Whether what an operator is called with is recorded.
    pub record: bool,
    /// How a source makes watermarks of its records' timestamps, or an operator of those that it emits, in place of what comes in; `None`: it makes none.
    pub watermark: Option<WatermarkSettings>,
    /// Which windows an operator's records are put into; there where it declares to be windowed.
    pub window: Option<WindowSettings>,
    /// What it is.
    pub kind: VertexKind,
}

/// What a vertex does.
#[derive(Clone)]
pub enum VertexKind {
    /// Reads.
    Source {
        /// The source.
        source: Arc<dyn Source>,
        /// Records per second of all subtasks together.
        rate: Option<f64>,
    },
    /// Turns records into others.
    Operator(Arc<dyn OperatorFactory>),
    /// Writes.
    Sink(Arc<dyn Sink>),
}

/// Records of one output of `from` go to one input of `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Index of the sending vertex.
    pub from: usize,
    /// Number of its output; [`QUARANTINE_OUTPUT`] for the reserved one. A source has output 0 besides.
    pub output: u32,
    /// Index of the receiving vertex.
    pub to: usize,
    /// Number of its input.
    pub input: u32,
    /// How records are spread.
    pub partitioning: Partitioning,
}

impl Vertex {
    /// A step that keeps no calls and makes no watermarks.
    pub fn new(id: impl Into<String>, parallelism: u32, kind: VertexKind) -> Self {
        Self { id: id.into(), parallelism, record: false, watermark: None, window: None, kind }
    }

    /// The states that are kept for an operator: those that it declares, and behind them those of timers or windows.
    pub fn kept_states(&self) -> Vec<StateDescriptor> {
        match &self.kind {
            VertexKind::Operator(factory) => factory.descriptor().kept_states(self.window.as_ref()),
            VertexKind::Source { .. } | VertexKind::Sink(_) => Vec::new(),
        }
    }

    /// True where the watermarks of a source rest on its splits being read in order.
    pub fn reads_in_order(&self) -> bool {
        self.watermark.as_ref().is_some_and(|settings| settings.in_order)
    }
}

impl JobGraph {
    /// The edges into a vertex, with their index.
    pub fn inputs(&self, vertex: usize) -> impl Iterator<Item = (usize, &Edge)> {
        self.edges.iter().enumerate().filter(move |(_, edge)| edge.to == vertex)
    }

    /// The edges out of a vertex, with their index.
    pub fn outputs(&self, vertex: usize) -> impl Iterator<Item = (usize, &Edge)> {
        self.edges.iter().enumerate().filter(move |(_, edge)| edge.from == vertex)
    }

    /// What must not change when a checkpoint is resumed.
    pub fn identity(&self) -> GraphIdentity {
        let identities = self.vertices.iter().filter_map(|vertex| {
            let identity = match &vertex.kind {
                VertexKind::Source { source, .. } => {
                    VertexIdentity::Source { connector: source.connector().to_owned(), settings: source.identity() }
                }
                VertexKind::Operator(factory) => VertexIdentity::Operator {
                    states: vertex.kept_states(),
                    component: factory.component().map(|component| component.digest.clone()),
                },
                VertexKind::Sink(_) => return None,
            };
            Some((vertex.id.clone(), identity))
        });
        let between = self.edges.iter().filter(|edge| !matches!(self.vertices[edge.to].kind, VertexKind::Sink(_)));
        let mut edges: Vec<_> = between.map(|edge| self.edge_identity(edge)).collect();
        edges.sort();
        GraphIdentity { max_parallelism: self.max_parallelism, vertices: identities.collect(), edges }
    }

    /// The edge over which records may go that were on `edge` when a checkpoint was taken.
    pub(crate) fn edge_like(&self, edge: &EdgeIdentity) -> Option<usize> {
        self.edges.iter().position(|candidate| self.edge_identity(candidate).is_same(edge))
    }

    /// What the sending operator declares of the records on `edge`.
    pub(crate) fn record_schema(&self, edge: &Edge) -> Option<RecordSchema> {
        match &self.vertices[edge.from].kind {
            VertexKind::Operator(factory) => factory.descriptor().outputs.get(edge.output as usize)?.schema.clone(),
            VertexKind::Source { .. } | VertexKind::Sink(_) => None,
        }
    }

    /// The record schemas that the receiver takes from `edge`; none: any.
    pub fn accepts(&self, edge: &Edge) -> Vec<RecordSchema> {
        match &self.vertices[edge.to].kind {
            VertexKind::Operator(factory) => {
                factory.descriptor().inputs.get(edge.input as usize).map_or_else(Vec::new, |input| input.accepts.clone())
            }
            VertexKind::Source { .. } | VertexKind::Sink(_) => Vec::new(),
        }
    }

    /// An edge's identity from one run to the next.
    pub(crate) fn edge_identity(&self, edge: &Edge) -> EdgeIdentity {
        EdgeIdentity {
            from: self.vertices[edge.from].id.clone(),
            output: self.output_name(edge.from, edge.output),
            to: self.vertices[edge.to].id.clone(),
            input: edge.input,
            partitioning: edge.partitioning,
        }
    }

    /// The name of a vertex's output, as job files write it.
    pub fn output_name(&self, vertex: usize, output: u32) -> String {
        match (&self.vertices[vertex].kind, output) {
            (_, QUARANTINE_OUTPUT) => QUARANTINE_NAME.to_owned(),
            (_, LATE_OUTPUT) => LATE_NAME.to_owned(),
            (VertexKind::Operator(factory), _) => {
                factory.descriptor().outputs.get(output as usize).map_or_else(|| output.to_string(), |output| output.name.clone())
            }
            (VertexKind::Source { .. } | VertexKind::Sink(_), _) => "out".to_owned(),
        }
    }

    /// Where subtask `index` of `parallelism` of an operator vertex stands, whose operators `factory` makes.
    pub(crate) fn subtask_place(
        &self,
        vertex: usize,
        factory: &Arc<dyn OperatorFactory>,
        (index, parallelism): (u32, u32),
    ) -> SubtaskPlace {
        let fed_by =
            |wanted: Partitioning| self.inputs(vertex).filter(move |(_, edge)| edge.partitioning == wanted).map(|(_, edge)| edge.input);
        let by_key = fed_by(Partitioning::Key).next().is_some();
        SubtaskPlace {
            subtask: Subtask { vertex: self.vertices[vertex].id.clone(), index, parallelism },
            factory: factory.clone(),
            schemas: self.input_schemas(vertex, factory.descriptor().inputs.len()),
            broadcast_inputs: fed_by(Partitioning::Broadcast).collect(),
            window: self.vertices[vertex].window.clone(),
            key_groups: by_key.then(|| range_of(index, parallelism, self.max_parallelism)),
            max_parallelism: self.max_parallelism,
        }
    }

    /// For each of a vertex's inputs what the source directly in front of it says of its records, where all that feed it say the same: what
    /// an operator is opened with.
    pub fn input_schemas(&self, vertex: usize, inputs: usize) -> Vec<Option<String>> {
        let of_edge = |edge: &Edge| match &self.vertices[edge.from].kind {
            VertexKind::Source { .. } if edge.output == QUARANTINE_OUTPUT => None,
            VertexKind::Source { source, .. } => source.schema(),
            VertexKind::Operator(_) | VertexKind::Sink(_) => None,
        };
        let of_input = |input: usize| {
            let mut schemas = self.inputs(vertex).filter(|(_, edge)| edge.input as usize == input).map(|(_, edge)| of_edge(edge));
            let first = schemas.next()??;
            schemas.all(|schema| schema.as_ref() == Some(&first)).then_some(first)
        };
        (0..inputs).map(of_input).collect()
    }
}
