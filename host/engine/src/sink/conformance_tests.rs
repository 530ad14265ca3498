//! The suite itself: a sink that waits at every step passes it, and one that breaks a promise does not.

use super::*;
use crate::element::RecordBatch;
use crate::error::ErrorKind;
use crate::runtime::yield_now;
use crate::sink::VisibleOutput;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};

/// A promise that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// What is prepared is visible.
    ShowsWhatIsPrepared,
    /// A commit that is repeated fails.
    CommitsOnce,
    /// An attempt that begins deletes also what its checkpoint names.
    DeletesWhatIsNamed,
    /// What an older attempt writes behind the beginning of another is visible.
    IsNotFenced,
    /// A barrier without records leaves something to commit.
    CommitsNothing,
    /// It does not tell what can be seen.
    TellsNothing,
}

/// Parts of a broker's memory, by name.
#[derive(Clone)]
struct Broker {
    broken: Broken,
    parts: Arc<Mutex<Parts>>,
}

#[derive(Default)]
struct Parts {
    pending: Vec<(String, Vec<Vec<u8>>)>,
    visible: Vec<(String, Vec<Vec<u8>>)>,
    /// Attempts before this one are shut out.
    fence: u64,
}

struct BrokerWriter {
    broker: Broker,
    context: WriterContext,
    values: Vec<Vec<u8>>,
}

impl Broker {
    fn new(broken: Broken) -> Self {
        Self { broken, parts: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap()
    }

    fn seen(&self) -> Vec<Vec<u8>> {
        self.lock().visible.iter().flat_map(|(_, values)| values.clone()).collect()
    }
}

impl Sink for Broker {
    fn connector(&self) -> &'static str {
        "broker"
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn prepare_attempt<'a>(&'a self, attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        async {
            yield_now().await;
            let named = |part: &str| {
                self.broken != Broken::DeletesWhatIsNamed && attempt.restored.iter().any(|restored| restored.payload["part"] == part)
            };
            let older = |part: &str| attempt.older_nonces.iter().any(|nonce| part.ends_with(nonce));
            let mut parts = self.lock();
            parts.fence = attempt.attempt.0;
            parts.pending.retain(|(part, _)| !older(part) || named(part));
            Ok(())
        }
        .boxed()
    }

    fn newest_visible<'a>(&'a self, nonces: &'a [String]) -> BoxFuture<'a, Result<Vec<VisibleOutput>, EngineError>> {
        async {
            yield_now().await;
            let parts = self.lock();
            let visible = parts.visible.iter().filter(|_| self.broken != Broken::TellsNothing);
            Ok(VisibleOutput::newest(visible.filter_map(|(part, _)| VisibleOutput::of_part(part)), nonces))
        }
        .boxed()
    }

    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        Ok(Box::new(BrokerWriter { broker: self.clone(), context: context.clone(), values: Vec::new() }))
    }
}

impl SinkWriter for BrokerWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        self.values.extend(batch.values().iter().map(<[u8]>::to_vec));
        Ok(())
    }

    fn prepare_commit(
        &mut self,
        checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        let (broker, values) = (self.broker.clone(), std::mem::take(&mut self.values));
        let WriterContext { subtask, attempt, nonce, .. } = self.context.clone();
        let part = format!("part-{}-{}-{checkpoint_id}-{nonce}", subtask.vertex, subtask.index);
        let prepare = async move {
            yield_now().await;
            if values.is_empty() && broker.broken != Broken::CommitsNothing {
                return Ok(Vec::new());
            }
            let mut parts = broker.lock();
            if attempt.0 < parts.fence {
                if broker.broken == Broken::IsNotFenced {
                    parts.visible.push((part, values));
                }
                return Err(EngineError::new(ErrorKind::Restart, "this attempt is shut out"));
            }
            match broker.broken {
                Broken::ShowsWhatIsPrepared => parts.visible.push((part.clone(), values)),
                _ => parts.pending.push((part.clone(), values)),
            }
            Ok(vec![Committable { connector: "broker".into(), payload: serde_json::json!({ "part": part }) }])
        };
        Ok(prepare.boxed())
    }
}

impl Committer for Broker {
    fn commit<'a>(&'a self, committable: &'a Committable) -> BoxFuture<'a, Result<(), EngineError>> {
        async {
            yield_now().await;
            let part = committable.payload["part"].as_str().expect("a part's name");
            let mut parts = self.lock();
            if let Some(place) = parts.pending.iter().position(|(pending, _)| pending == part) {
                let part = parts.pending.remove(place);
                parts.visible.push(part);
                return Ok(());
            }
            let again = self.broken != Broken::CommitsOnce && parts.visible.iter().any(|(visible, _)| visible == part);
            if again { Ok(()) } else { Err(EngineError::new(ErrorKind::FixInput, format!("{part} is missing"))) }
        }
        .boxed()
    }
}

/// What the suite says of it; `None`: it passes.
fn said_of(broken: Broken) -> Option<String> {
    let broker = Broker::new(broken);
    let suite = || sink_suite(|| Arc::new(broker.clone()), Some(&broker), Some(&|| broker.seen()));
    let panic = catch_unwind(AssertUnwindSafe(suite)).err()?;
    Some(crate::runtime::panic_message(&*panic))
}

#[test]
fn a_sink_that_waits_at_every_step_passes() {
    assert_eq!(said_of(Broken::Nothing), None);
}

#[test]
fn each_promise_that_is_broken_is_noticed() {
    for (broken, says) in [
        (Broken::ShowsWhatIsPrepared, "nothing is visible before its commit"),
        (Broken::CommitsOnce, "is missing"),
        (Broken::DeletesWhatIsNamed, "is missing"),
        (Broken::IsNotFenced, "what the checkpoint names is committed after a crash"),
        (Broken::CommitsNothing, "a barrier without records commits nothing"),
        (Broken::TellsNothing, "of each attempt the newest checkpoint with output is told"),
    ] {
        let said = said_of(broken).unwrap_or_else(|| panic!("{broken:?} passes"));
        assert!(said.contains(says), "{broken:?}: {said}");
    }
}
