//! Carries out what the [`Publisher`](super::Publisher) says: talks to the target, reads what is staged, and tries again for as long as it takes.
//!
//! A target that is down never fails the attempt. Before each takeover the task sees in the log that its attempt is the newest: a process that was
//! stopped and wakes neither keeps its successor out nor publishes beside it.

use super::Outbox;
use super::chunks::Chunk;
use super::port::{OutboxOwner, OutboxSession};
use super::publisher::{Publication, PublisherAction, PublisherEvent};
use super::refusal::newer_attempt_seen;
use super::shared::PublishingError;
use crate::checkpoint::{JobLog, LogEntry, Marker, MarkerKey, StagedObject, read_staged, read_state_object};
use crate::element::{CheckpointId, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::ConnectorIo;
use crate::storage::{Store, back_off};
use std::iter::{once, repeat};
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// From one try to the next the pause doubles, up to this many times: about five seconds.
const DOUBLINGS: u32 = 8;

/// What a publisher tells the attempt.
#[derive(Debug)]
pub enum OutboxEvent {
    /// It has got further.
    Progress,
    /// It cannot go on: the attempt is over.
    Failed(EngineError),
}

/// The publisher of one sink, at work.
pub struct PublisherTask {
    /// What it publishes.
    pub outbox: Arc<Outbox>,
    /// Who it is.
    pub owner: OutboxOwner,
    /// The nonce of its attempt.
    pub nonce: String,
    /// The log as it was when the attempt began.
    pub log: JobLog,
    /// Where staged output is.
    pub store: Arc<dyn Store>,
    /// Where the target's I/O runs, and the clock for retries.
    pub io: ConnectorIo,
    /// Where it tells.
    pub events: mpsc::UnboundedSender<OutboxEvent>,
}

impl PublisherTask {
    /// Publishes until it is dropped, or cannot go on.
    pub async fn run(mut self) {
        let (mut session, mut failures, mut warned) = (None, 0, None);
        self.outbox.on_log(self.log.entries());
        loop {
            let action = self.outbox.next();
            if action == PublisherAction::Wait {
                self.outbox.more().await;
                continue;
            }
            match self.follow(action, &mut session).await {
                Ok(()) => failures = 0,
                Err(error) => match error.kind() {
                    ErrorKind::Retry | ErrorKind::Restart | ErrorKind::Fenced => {
                        if let Err(fenced) = self.check_newest(&error).await {
                            return self.tell(OutboxEvent::Failed(fenced));
                        }
                        session = None;
                        let message = error.to_string();
                        // It is said once, until something else is wrong or it has gone well; each try is in the status.
                        if failures == 0 || warned.as_ref() != Some(&message) {
                            warn!(sink = self.outbox.sink(), error = %message, "output could not be published, which is tried again");
                            warned = Some(message.clone());
                        } else {
                            debug!(sink = self.outbox.sink(), "output could not be published, for the same reason");
                        }
                        self.outbox.on_trouble(PublishingError { message, at_ms: self.io.clock().wall_ms() });
                        back_off(&**self.io.clock(), failures.min(DOUBLINGS)).await;
                        failures += 1;
                    }
                    ErrorKind::FixInput | ErrorKind::Corrupt | ErrorKind::Bug => return self.tell(OutboxEvent::Failed(error)),
                },
            }
        }
    }

    fn tell(&self, event: OutboxEvent) {
        // An attempt that is over needs none.
        _ = self.events.send(event);
    }

    fn on(&self, event: PublisherEvent) {
        self.outbox.on(event);
        self.tell(OutboxEvent::Progress);
    }

    /// Does one thing. An error leaves its outcome open.
    async fn follow(&mut self, action: PublisherAction, session: &mut Option<Box<dyn OutboxSession>>) -> Result<(), EngineError> {
        let lost = || EngineError::new(ErrorKind::Bug, "publish: the publisher acts before it has taken over");
        match action {
            PublisherAction::TakeOver => {
                *session = None;
                *session = Some(self.take_over().await?);
                self.on(PublisherEvent::TakenOver);
            }
            PublisherAction::ReadMarker(key) => {
                let marker = session.as_mut().ok_or_else(lost)?.marker(&key).await;
                let marker = marker.map_err(|error| self.attempted("read the marker", error))?;
                self.on(PublisherEvent::MarkerRead(marker));
            }
            PublisherAction::SetMarker { key, marker, against } => {
                if let Some(refusal) = against {
                    warn!(sink = self.outbox.sink(), refused = %refusal.error(self.outbox.sink()), %marker, "a marker is set by the user's decision");
                }
                let set = session.as_mut().ok_or_else(lost)?.set_marker(&key, &marker).await;
                set.map_err(|error| self.attempted("set the marker", error))?;
                self.on(PublisherEvent::MarkerSet);
            }
            PublisherAction::Publish(publication) => self.publish(&publication, session.as_mut().ok_or_else(lost)?).await?,
            PublisherAction::Refuse(refusal) => {
                // What does not fit may be a successor's.
                self.see_that_it_is_newest().await?;
                return Err(refusal.error(self.outbox.sink()));
            }
            PublisherAction::Wait => {}
        }
        Ok(())
    }

    /// Keeps every other publisher out. A process that is kept out itself has been replaced; where its log does not say so, it is the log that is not what it was.
    async fn take_over(&mut self) -> Result<Box<dyn OutboxSession>, EngineError> {
        self.see_that_it_is_newest().await?;
        let owner = OutboxOwner { over_newer: self.owner.over_newer || self.outbox.is_decided(), ..self.owner.clone() };
        match self.outbox.target().take_over(&owner, &self.io).await {
            Err(refused) if refused.kind() == ErrorKind::Fenced => {
                self.see_that_it_is_newest().await?;
                Err(newer_attempt_seen(self.outbox.sink(), self.owner.attempt, &refused))
            }
            outcome => outcome.map_err(|error| self.attempted("take over", error)),
        }
    }

    /// Publishes chunk by chunk.
    async fn publish(&self, publication: &Publication, session: &mut Box<dyn OutboxSession>) -> Result<(), EngineError> {
        let Publication { key, outputs, from } = publication;
        let target = self.outbox.target();
        let together = if target.spans_checkpoints() { outputs.len() } else { 1 };
        let (mut chunk, mut first, mut last) = (Chunk::new(target.chunk_bounds()), None, None);
        for (output, published) in outputs[..together].iter().zip(once(*from).chain(repeat(0))) {
            let (mut before, mut done) = (0, published);
            for object in &output.objects {
                let mut skipped = published.saturating_sub(before).min(object.records) as usize;
                before += object.records;
                if skipped as u64 == object.records {
                    continue;
                }
                for batch in self.read(object).await? {
                    let mut at = skipped.min(batch.len());
                    skipped -= at;
                    while at < batch.len() {
                        let added = chunk.add(&batch, at);
                        (at, done) = (at + added, done + added as u64);
                        first.get_or_insert(output.checkpoint_id);
                        if chunk.is_full() {
                            self.publish_chunk(key, chunk.take(), first.take(), output.marker(done), session).await?;
                        }
                    }
                }
            }
            last = Some(output.marker(done));
        }
        match last {
            Some(last) if !chunk.is_empty() => self.publish_chunk(key, chunk.take(), first, last, session).await,
            _ => Ok(()),
        }
    }

    /// Publishes `records`, which reach from checkpoint `first` up to `marker`.
    async fn publish_chunk(
        &self,
        key: &MarkerKey,
        records: RecordBatch,
        first: Option<CheckpointId>,
        marker: Marker,
        session: &mut Box<dyn OutboxSession>,
    ) -> Result<(), EngineError> {
        let published = session.publish(key, &records, &marker).await;
        let of = |last| match first.filter(|first| *first != last) {
            Some(first) => format!("publish checkpoints {first} to {last}"),
            None => format!("publish checkpoint {last}"),
        };
        published.map_err(|error| self.attempted(&of(marker.checkpoint_id), error))?;
        self.on(PublisherEvent::Published(marker));
        Ok(())
    }

    async fn read(&self, object: &StagedObject) -> Result<Vec<RecordBatch>, EngineError> {
        let reader = read_state_object(&*self.store, &**self.io.clock(), &object.handle).await?;
        read_staged(&format!("{}/{}", self.store.location(), object.handle.object), &reader, object.records)
    }

    fn attempted(&self, what: &str, error: EngineError) -> EngineError {
        error.context(format!("{}: {what}", self.outbox.sink()))
    }

    /// The error of a publisher whose job another process has taken over; where nobody can tell, it is not this one.
    async fn check_newest(&mut self, error: &EngineError) -> Result<(), EngineError> {
        if error.kind() != ErrorKind::Fenced {
            return Ok(());
        }
        match self.see_that_it_is_newest().await {
            Err(fenced) if fenced.kind() == ErrorKind::Fenced => Err(fenced),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn see_that_it_is_newest(&mut self) -> Result<(), EngineError> {
        self.log.read_on().await?;
        let newest = self.log.entries().iter().rev().find_map(|entry| match entry {
            LogEntry::Attempt { nonce, .. } => Some(nonce),
            LogEntry::Completed { .. }
            | LogEntry::Failed { .. }
            | LogEntry::Override { .. }
            | LogEntry::Outcome { .. }
            | LogEntry::Finished { .. } => None,
        });
        if newest == Some(&self.nonce) {
            return Ok(());
        }
        let message = format!("publish the output of {}: another process has taken the job over", self.outbox.sink());
        Err(EngineError::new(ErrorKind::Fenced, message).with_hint("this process stops; the other goes on"))
    }
}
