//! Passes on what somebody wants to know of a key: to the task of the subtask that owns it, which answers between two calls.

use super::Attempt;
use super::change::tasks_of;
use crate::job::control::Reply;
use crate::job::{JobGraph, Partitioning};
use crate::state::{StateKind, key_group_of, key_hash, owner_of};
use crate::task::{KeyAnswer, KeyQuestion, TaskControl};

impl Attempt<'_> {
    pub(super) fn on_look_up(&mut self, operator: &str, key: Vec<u8>, reply: Reply<Option<KeyAnswer>>) {
        let Some((vertex, task)) = owner(&self.context.graph, operator, &key) else {
            // Whoever asked may have gone.
            _ = reply.send(Ok(None));
            return;
        };
        // A task that is gone drops the question, which says so.
        _ = self.deployment.controls[task].send(TaskControl::Look(KeyQuestion { vertex, key, reply }));
    }
}

/// The vertex of an operator, and the number of the task that owns the key; `None`: there is no such operator, or it keeps nothing by key.
fn owner(graph: &JobGraph, operator: &str, key: &[u8]) -> Option<(usize, usize)> {
    let vertex = graph.vertices.iter().position(|vertex| vertex.id == operator)?;
    let is_by_key = graph.inputs(vertex).any(|(_, edge)| edge.partitioning == Partitioning::Key);
    let keeps = graph.vertices[vertex].kept_states().iter().any(|state| state.kind != StateKind::Broadcast);
    let group = key_group_of(key_hash(key), graph.max_parallelism);
    let owner = owner_of(group, graph.vertices[vertex].parallelism, graph.max_parallelism);
    let task = tasks_of(graph, vertex).into_iter().find(|(_, index)| *index == owner)?;
    (is_by_key && keeps).then_some((vertex, task.0))
}
