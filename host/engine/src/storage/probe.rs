//! Asks a store, before anything is trusted to it, whether it keeps the one promise that everything else rests on: that of two creates of
//! one object the second writes nothing.
//!
//! Some servers that speak S3 accept the condition (`If-None-Match`) and ignore it. On such a store two processes would both own the job and
//! neither would know. Every kind of store is asked: a folder may be a bucket that somebody has mounted, and two small objects cost nothing
//! beside the first checkpoint.

use super::{Created, Store, retry};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use bytes::Bytes;

/// Creates an object twice, and deletes it. A store that lets the second create through is refused. Nobody else uses `path`; a process that
/// is killed in here leaves the object behind.
pub(crate) async fn probe_create_if_absent(store: &dyn Store, clock: &dyn Clock, path: &str) -> Result<(), EngineError> {
    // An outcome that is unknown is asked for again: whether the first create finds the object of its own lost try is all the same, because
    // the second has to find it.
    let _: Created = retry(clock, || store.create(path, Bytes::from_static(b"first"))).await?;
    let second = retry(clock, || store.create(path, Bytes::from_static(b"second"))).await?;
    let found = retry(clock, || store.get(path)).await?;
    retry(clock, || store.delete(path)).await?;
    match (second, found.as_deref()) {
        (Created::Exists, Some(b"first")) => Ok(()),
        (Created::New | Created::Exists, _) => {
            let message = format!("use {}: it does not honour create-if-absent (If-None-Match)", store.location());
            let hint =
                "two processes could both own the job there; use a folder (`file:`), or an S3 server that honours conditional writes";
            Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{SimulationEnd, Simulator};
    use crate::storage::{FaultPlan, FaultyStore, ObjectStorage, StoreDecorator};
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use std::sync::Arc;

    /// How a server treats the condition that it should honour.
    #[derive(Clone, Copy)]
    enum Ignores {
        /// The second create overwrites, and says that it is the first.
        Both,
        /// It says that the object exists, and overwrites it all the same.
        OnlyWhenItWrites,
        /// It writes nothing, and says that it is the first.
        OnlyWhenItAnswers,
    }

    struct Careless {
        store: Arc<dyn Store>,
        ignores: Ignores,
    }

    impl StoreDecorator for Careless {
        fn inner(&self) -> &dyn Store {
            &*self.store
        }

        fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
            async move {
                let existed = self.store.get(path).await?.is_some();
                let (writes, answer) = match self.ignores {
                    Ignores::Both => (true, Created::New),
                    Ignores::OnlyWhenItWrites => (true, if existed { Created::Exists } else { Created::New }),
                    Ignores::OnlyWhenItAnswers => (!existed, Created::New),
                };
                if writes {
                    self.store.put(path, vec![bytes]).await?;
                }
                Ok(answer)
            }
            .boxed()
        }
    }

    /// What the probe says of `store`; nothing of it may be left.
    fn probe(simulator: &Simulator, store: Arc<dyn Store>) -> Result<(), EngineError> {
        let (clock, result) = (simulator.runtime().clock, Arc::new(std::sync::Mutex::new(None)));
        let slot = result.clone();
        let watched = async move {
            let probed = probe_create_if_absent(&*store, &*clock, "probe/nonce").await;
            *slot.lock().unwrap() = Some(probed);
        };
        assert_eq!(simulator.run(watched.boxed(), 10_000), SimulationEnd::Finished);
        result.lock().unwrap().take().unwrap()
    }

    #[test]
    fn a_store_that_ignores_the_condition_is_refused_by_name() {
        for ignores in [Ignores::Both, Ignores::OnlyWhenItWrites, Ignores::OnlyWhenItAnswers] {
            let inner: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
            let error = probe(&Simulator::new(1), Arc::new(Careless { store: inner.clone(), ignores })).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FixInput);
            assert_eq!(error.to_string(), "use memory:/job: it does not honour create-if-absent (If-None-Match)");
            assert_eq!(inner.list("").now_or_never().unwrap().unwrap(), Vec::<String>::new(), "the probe is deleted");
        }
    }

    #[test]
    fn a_good_store_that_loses_acknowledgements_is_never_taken_for_a_bad_one() {
        let mut good = 0;
        for seed in 0..300 {
            let simulator = Simulator::new(seed);
            let inner: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
            let plan = FaultPlan { refused: 100, lost_acknowledgement: 400, slow: 300, ..FaultPlan::NONE };
            match probe(&simulator, Arc::new(FaultyStore::new(inner.clone(), simulator.clone(), plan))) {
                Ok(()) => {
                    assert!(inner.list("").now_or_never().unwrap().unwrap().is_empty());
                    good += 1;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Retry, "seed {seed}: {error}"),
            }
        }
        assert!(good > 200, "{good}");
    }
}
