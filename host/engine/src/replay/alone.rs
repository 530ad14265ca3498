//! An operator of no job: it is given what it keeps, records and time by hand. Tests of plugins are run on it.

use super::IsolatedOperator;
use super::contents::{Contents, Held, Taken, put_back};
use super::isolated::Input;
use super::migrated::migrated;
use super::watched::{Notes, Watched};
use crate::element::{Column, key_hash};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::Partitioning;
use crate::operator::OperatorFactory;
use crate::runtime::Clock;
use crate::state::{CallKeys, StateBackendFactory, StateDescriptor, StateKind, StateTime};
use crate::task::{OperatorSubtask, SubtaskPlace};
use std::sync::Arc;

/// What a state, perhaps of an older version, has left of a key.
#[derive(Clone, Debug)]
pub struct KeptBefore {
    /// The state's name.
    pub state: String,
    /// Its version.
    pub version: u32,
    /// The key.
    pub key: Vec<u8>,
    /// What there is of it.
    pub held: Held,
}

impl IsolatedOperator {
    /// An operator of no job, without state. What comes over edge i feeds the input of that number, and comes as is said there. `clock` is what it is told of
    /// the time.
    pub fn alone(
        place: SubtaskPlace,
        inputs: &[(u32, Partitioning)],
        backends: &dyn StateBackendFactory,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EngineError> {
        let notes = Notes::default();
        let factory: Arc<dyn OperatorFactory> = Arc::new(Watched::new(place.factory.clone(), notes.clone()));
        let subtask = OperatorSubtask::new(SubtaskPlace { factory, ..place }, backends, Arc::default(), clock)?;
        let input = |&(number, partitioning): &(u32, Partitioning)| Input { number, partitioning };
        let mut alone = Self::with(subtask, inputs.iter().map(input).enumerate().collect(), notes);
        alone.one_by_one = false;
        Ok(alone)
    }

    /// Gives it what was kept before, which it migrates where that is of an older version. Of each state and key one is given. What is kept in windows, or
    /// broadcast, cannot be.
    pub async fn keep(&mut self, kept: Vec<KeptBefore>) -> Result<(), EngineError> {
        let wrong = |what: String| Err(EngineError::new(ErrorKind::FixInput, what));
        let mut was: Vec<StateDescriptor> = Vec::new();
        let (mut contents, mut keys, mut hashes) = (Contents::new(), Column::new(), Vec::new());
        for KeptBefore { state, version, key, held } in kept {
            let Some(declared) = self.states().iter().find(|declared| declared.name == state) else {
                return wrong(format!("it has no state `{state}`"));
            };
            let fits = match (&held, declared.kind) {
                (Held::Value(_), StateKind::Value) | (Held::List(_), StateKind::List) | (Held::Map(_), StateKind::Map) => {
                    version <= declared.version
                }
                (Held::Value(_) | Held::List(_) | Held::Map(_), _) => false,
            };
            if !fits {
                return wrong(format!("its state `{state}` keeps something else, or is of an older version than {version}"));
            }
            let number = was.iter().position(|other| other.name == state && other.version == version).unwrap_or(was.len());
            if number == was.len() {
                was.push(StateDescriptor { version, ..declared.clone() });
            }
            keys.push(&key);
            hashes.push(key_hash(&key));
            contents.insert((number, key), held);
        }
        let migrated = migrated(contents, &was, self)?;
        let place = |name: &str| self.states().iter().position(|declared| declared.name == name).expect("it was found above");
        let renumbered = migrated.into_iter().map(|((number, key), held)| ((place(&was[number].name), key), held)).collect();
        let time = StateTime { watermark: crate::element::NO_TIMESTAMP, processing_time: 0 };
        match self.select(CallKeys::new(&keys, &hashes, &[]), time, &Contents::new()).await? {
            Some(state) => put_back(state, &Taken::of(renumbered)),
            None => wrong("it keeps nothing by key".into()),
        }
    }
}
