//! What somebody wants to know of a key of a running operator, on its way to the subtask that owns the key.

use super::OperatorSubtask;
use crate::error::EngineError;
use crate::state::{KeyLook, StateDescriptor, key_group_of, key_hash};
use tokio::sync::oneshot;

/// What is kept of a key, as of between two calls of the subtask that owns it.
#[derive(Clone, Debug)]
pub struct KeyAnswer {
    /// The key's group.
    pub key_group: u32,
    /// The subtask that owns the key.
    pub subtask: u32,
    /// Event time as far as the subtask has come, ms; the smallest there is before any has been told.
    pub watermark: i64,
    /// All states that the operator keeps.
    pub states: Vec<StateDescriptor>,
    /// What the key has of them.
    pub look: KeyLook,
}

/// A question on its way.
pub struct KeyQuestion {
    /// The operator.
    pub vertex: usize,
    /// The key.
    pub key: Vec<u8>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Option<KeyAnswer>, EngineError>>,
}

impl KeyQuestion {
    /// Answers it, unless nobody waits for that any more. A look that fails is the asker's to know: the next call finds out for itself.
    pub(super) async fn answer_from(self, subtask: &mut OperatorSubtask) {
        if !self.reply.is_closed() {
            let answer = subtask.look_at(&self.key).await;
            // Whoever asked may have gone meanwhile.
            _ = self.reply.send(answer);
        }
    }
}

impl OperatorSubtask {
    /// What is kept of a key; `None`: nothing is kept by key.
    pub async fn look_at(&mut self, key: &[u8]) -> Result<Option<KeyAnswer>, EngineError> {
        let time = self.time_of(key);
        let Some(state) = self.state.as_deref_mut() else { return Ok(None) };
        let look = state.look_at(key, time).await.map_err(|error| error.context(format!("{}: look at a key", self.id())))?;
        Ok(Some(KeyAnswer {
            key_group: key_group_of(key_hash(key), self.place.max_parallelism),
            subtask: self.place.subtask.index,
            watermark: self.watermark,
            states: self.kept_states.clone(),
            look,
        }))
    }
}
