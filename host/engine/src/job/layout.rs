//! Which vertices share a task. Layout only: state and metrics belong to vertices, so it may differ between checkpoint and restore.
//!
//! A vertex joins the task of the vertex in front of it when it has one input, over a `forward` edge, and both have the same parallelism.

use super::JobGraph;
use crate::exchange::Partitioning;

/// The vertices of one task, the head first, in topological order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskLayout {
    /// Indexes of vertices.
    pub members: Vec<usize>,
}

/// The tasks of a graph, in topological order of their heads.
pub fn layout(graph: &JobGraph) -> Vec<TaskLayout> {
    let mut tasks: Vec<TaskLayout> = Vec::new();
    for vertex in 0..graph.vertices.len() {
        match chained_behind(graph, vertex).and_then(|front| tasks.iter_mut().find(|task| task.members.contains(&front))) {
            Some(task) => task.members.push(vertex),
            None => tasks.push(TaskLayout { members: vec![vertex] }),
        }
    }
    tasks
}

/// The vertex that `vertex` is chained to.
fn chained_behind(graph: &JobGraph, vertex: usize) -> Option<usize> {
    let mut inputs = graph.inputs(vertex);
    let (_, edge) = inputs.next()?;
    let alone = inputs.next().is_none();
    let equal = graph.vertices[edge.from].parallelism == graph.vertices[vertex].parallelism;
    (alone && equal && edge.partitioning == Partitioning::Forward).then_some(edge.from)
}
