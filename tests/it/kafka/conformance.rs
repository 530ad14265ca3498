//! What every source and every target of an outbox promises, on the real broker.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;
use weir_engine::element::CheckpointId;
use weir_engine::operator::Subtask;
use weir_engine::outbox::conformance::{InChunks, TargetUnderTest, target_suite};
use weir_engine::outbox::{ChunkBounds, OutboxTarget};
use weir_engine::runtime::{ConnectorIo, ThreadRuntime};
use weir_engine::sink::conformance::sink_suite;
use weir_engine::source::conformance::source_suite;
use weir_engine::source::{SourceOrder, SplitLag};
use weir_engine::{EngineError, ReadStatus, ReaderContext, Source, SourceCapabilities, SourceReader, SplitBatch, SplitState};
use weir_tests::process::KafkaServer;

fn settings(of: &Value) -> &Map<String, Value> {
    of.as_object().expect("an object")
}

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A source whose readers wait for the broker where they have nothing yet: the suite polls again and again, and takes one that has nothing for long for idle.
struct Waiting(Arc<dyn Source>);

struct WaitingReader(Box<dyn SourceReader>);

impl Source for Waiting {
    fn connector(&self) -> &'static str {
        self.0.connector()
    }

    fn capabilities(&self) -> SourceCapabilities {
        self.0.capabilities()
    }

    fn identity(&self) -> Value {
        self.0.identity()
    }

    fn discover(&self, parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        self.0.discover(parallelism)
    }

    fn order(&self, parallelism: u32) -> SourceOrder {
        self.0.order(parallelism)
    }

    fn new_splits<'a>(&'a self, known: &'a [SplitState], parallelism: u32) -> BoxFuture<'a, Result<Vec<SplitState>, EngineError>> {
        self.0.new_splits(known, parallelism)
    }

    fn discovery_interval(&self) -> Option<Duration> {
        self.0.discovery_interval()
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        self.0.verify(splits)
    }

    fn reader(&self, context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(WaitingReader(self.0.reader(context, splits)?)))
    }
}

impl SourceReader for WaitingReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        loop {
            match self.0.poll_read(&mut Context::from_waker(&waker), max_records, out) {
                Poll::Pending => std::thread::park(),
                ready => return ready,
            }
        }
    }

    fn splits(&self) -> Vec<SplitState> {
        self.0.splits()
    }

    fn add_splits(&mut self, splits: Vec<SplitState>) -> Result<(), EngineError> {
        self.0.add_splits(splits)
    }

    fn is_finished(&self, split: usize) -> bool {
        self.0.is_finished(split)
    }

    fn is_idle(&self, split: usize) -> bool {
        self.0.is_idle(split)
    }

    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        self.0.lags(each);
    }

    fn hears_of_completion(&self) -> bool {
        self.0.hears_of_completion()
    }

    fn on_completed(
        &mut self,
        checkpoint_id: CheckpointId,
        splits: Vec<SplitState>,
    ) -> Option<BoxFuture<'static, Result<(), EngineError>>> {
        self.0.on_completed(checkpoint_id, splits)
    }
}

#[test]
fn a_topic_with_an_end_is_read_as_a_source_promises() {
    let Some(server) = KafkaServer::in_use() else { return };
    let topic = server.topic(3);
    // In one partition, that two readers give them in one order: which of several partitions is fetched first is for the broker to say.
    let message =
        |number: u64| json!({ "key": format!("k{number}"), "value": format!("v{number}"), "timestamp": 1_000 + number, "partition": 1 });
    server.produce(&topic, &(0..40).map(message).collect::<Vec<_>>());
    let said = json!({ "brokers": server.brokers(), "topics": [topic], "until": "end" });
    let source = weir_connectors::source("kafka", settings(&said), Path::new(".")).expect("a source");
    source_suite(&Waiting(source));
}

/// The values that a reader of a whole topic gives, which is polled when it wakes and at no other time, in their order within each partition.
pub(super) fn read_to_the_end(server: &KafkaServer, topic: &str) -> Vec<String> {
    let said = json!({ "brokers": server.brokers(), "topics": [topic], "until": "end" });
    let source = weir_connectors::source("kafka", settings(&said), Path::new(".")).expect("a source");
    let threads = ThreadRuntime::new(1).expect("threads");
    let splits = threads.block_on(source.discover(1)).expect("partitions");
    let subtask = Subtask { vertex: "in".into(), index: 0, parallelism: 1 };
    let context = ReaderContext { subtask, in_order: false, io: ConnectorIo::of(&threads.runtime()) };
    let mut reader = WaitingReader(source.reader(&context, splits).expect("a reader"));
    let (mut out, mut values) = (SplitBatch::new(), Vec::new());
    loop {
        let read = reader.poll_read(&mut Context::from_waker(Waker::noop()), 100, &mut out);
        let records = out.take();
        values.extend((0..records.len()).map(|record| String::from_utf8_lossy(records.value(record).unwrap_or_default()).into_owned()));
        if matches!(read, Poll::Ready(Ok(ReadStatus::End))) {
            break;
        }
        assert!(matches!(read, Poll::Ready(Ok(_))), "{read:?}");
    }
    drop(reader);
    threads.shutdown();
    values
}

/// A topic with one partition, and the topic of its markers.
struct Topics<'a> {
    server: &'a KafkaServer,
    topic: String,
    markers: String,
}

impl TargetUnderTest for Topics<'_> {
    fn client(&self, bounds: ChunkBounds) -> Arc<dyn OutboxTarget> {
        let said = json!({ "brokers": self.server.brokers(), "topic": self.topic, "marker-topic": self.markers });
        let sink = weir_connectors::sink("kafka", settings(&said), Path::new(".")).expect("a sink");
        Arc::new(InChunks(sink.outbox().expect("an outbox"), bounds))
    }

    fn seen(&self) -> BoxFuture<'_, Vec<Vec<u8>>> {
        let value = |message: Value| message["value"].as_str().expect("a value").as_bytes().to_vec();
        ready(self.server.committed(&self.topic).into_iter().map(value).collect()).boxed()
    }

    fn reset(&self) -> BoxFuture<'_, ()> {
        self.server.client(&json!({ "do": "delete", "topics": [self.topic, self.markers] }));
        self.server.client(&json!({ "do": "create", "topic": self.topic, "partitions": 1 }));
        ready(()).boxed()
    }
}

#[test]
fn a_topic_is_published_to_as_a_target_promises() {
    let Some(server) = KafkaServer::in_use() else { return };
    let threads = ThreadRuntime::new(1).expect("threads");
    let io = ConnectorIo::of(&threads.runtime());
    let topics = Topics { server, topic: server.topic(1), markers: server.name() };
    threads.block_on(target_suite(&topics, io));
    threads.shutdown();
}

#[test]
fn a_topic_is_written_to_at_once_as_a_sink_promises() {
    let Some(server) = KafkaServer::in_use() else { return };
    let topic = server.topic(1);
    let said = json!({ "brokers": server.brokers(), "topic": topic, "delivery": "at-least-once" });
    let value = |message: Value| message["value"].as_str().expect("a value").as_bytes().to_vec();
    // The last one is not waited for by any barrier yet.
    let visible = || super::all(server, &topic, 4).into_iter().map(value).collect();
    sink_suite(|| weir_connectors::sink("kafka", settings(&said), Path::new(".")).expect("a sink"), None, Some(&visible));
}
