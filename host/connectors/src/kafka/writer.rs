//! The sink `kafka`, at-least-once: an idempotent producer writes at once, and a checkpoint is acknowledged when the cluster has acknowledged all that came in front of
//! its barrier. Records since the last checkpoint are written again behind a failure.

use super::again::Again;
use super::client::aside;
use super::refusals::Weight;
use super::sender::Sender;
use super::target::TargetOptions;
use super::writing::Writing;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, poll_fn};
use rdkafka::producer::Producer as _;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use weir_engine::element::CheckpointId;
use weir_engine::metrics::Trouble;
use weir_engine::runtime::ConnectorIo;
use weir_engine::sink::{Delivery, SinkAttempt, WriterContext};
use weir_engine::{Committable, EngineError, RecordBatch, Sink, SinkWriter};

/// Writes to topics, at least once.
pub(super) struct KafkaSink {
    pub options: Arc<TargetOptions>,
}

impl Sink for KafkaSink {
    fn connector(&self) -> &'static str {
        "kafka"
    }

    fn delivery(&self) -> Delivery {
        Delivery::MayRepeat
    }

    /// Sees that the cluster is there, and the topic.
    fn look<'a>(&'a self, _io: &'a ConnectorIo) -> BoxFuture<'a, Result<(), EngineError>> {
        super::target::look(&self.options).boxed()
    }

    /// Sees that the cluster is there, and the topics.
    fn prepare_attempt<'a>(&'a self, _attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        async { super::target::prepare(&self.options).await.map_err(|error| self.options.cluster.at_start(error)) }.boxed()
    }

    fn writer(&self, _context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        let sender = Arc::new(Sender::new(self.options.clone())?);
        let heard = sender.clone();
        aside(move || hear(&heard));
        Ok(Box::new(KafkaWriter { sender, barriers: 0 }))
    }
}

/// How long it is listened to a producer before whoever writes is told what has gone wrong: messages that are refused together are heard of within far less.
const HEARING: Duration = Duration::from_millis(100);

/// Hears what becomes of the messages, and deals with those that come back, until the writer is gone; and lets the producer go then, which may take a while, so that no data
/// thread waits for that.
fn hear(sender: &Arc<Sender>) {
    let mut again = None;
    while Arc::strong_count(sender) > 1 {
        sender.producer.poll(HEARING);
        if let Err(error) = deal(sender, &mut again) {
            sender.producer.context().deliveries().fail((Weight::AtFault, 0), || error);
        }
        sender.producer.context().deliveries().tell();
    }
}

/// Deals with the messages that have come back.
fn deal(sender: &Arc<Sender>, again: &mut Option<Again>) -> Result<(), EngineError> {
    let (writing, options) = (sender.producer.context(), &sender.options);
    let returned = writing.take_returned();
    let Some(topic) = options.quarantine_topic.as_deref().filter(|_| !returned.is_empty()) else { return Ok(()) };
    let mut at_work = match again.take() {
        Some(again) => again,
        None => Again::begin(options.clone(), topic)?,
    };
    let seen = writing.deliveries().total();
    if at_work.deal(&returned, seen, &|| sender.is_over())? {
        let mut deliveries = writing.deliveries();
        returned.iter().for_each(|returned| deliveries.settle(returned.handed.barriers, returned.handed.bytes));
    }
    *again = Some(at_work);
    Ok(())
}

/// Writes one subtask's records.
struct KafkaWriter {
    sender: Arc<Sender>,
    /// How many there have been.
    barriers: usize,
}

impl SinkWriter for KafkaWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        self.sender.producer.context().deliveries().check()?;
        self.sender.write(batch, self.barriers)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sender.producer.context().deliveries().poll_room(cx)
    }

    fn trouble(&self) -> Option<Trouble> {
        // Whoever asks does not keep the producer.
        let sender = Arc::downgrade(&self.sender);
        Some(Arc::new(move || {
            let sender = sender.upgrade()?;
            let Writing { told, cluster, .. } = &**sender.producer.context();
            told.trouble().map(|trouble| format!("{trouble}: it is tried again ({})", cluster.brokers))
        }))
    }

    fn prepare_commit(
        &mut self,
        _checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        let (barriers, writing) = (self.barriers, self.sender.producer.context().clone());
        self.barriers += 1;
        Ok(poll_fn(move |cx| writing.deliveries().poll_written(barriers, cx).map_ok(|()| Vec::new())).boxed())
    }
}

/// Whoever works for it stops.
impl Drop for KafkaWriter {
    fn drop(&mut self) {
        self.sender.end();
    }
}
