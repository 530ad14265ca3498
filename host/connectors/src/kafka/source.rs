//! The source `kafka`.

use super::discovery::Discovery;
use super::reader::KafkaReader;
use super::settings::SourceOptions;
use super::value_fields::ValueFields;
use crate::settings::SettingsError;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use weir_engine::source::SourceOrder;
use weir_engine::{EngineError, ReaderContext, Source, SourceCapabilities, SourceReader, SplitState};

/// What the source `kafka` can do.
pub(crate) const CAPABILITIES: SourceCapabilities =
    SourceCapabilities { single_reader: None, replayable: true, bounded: true, key_setting: true, timestamp_setting: true };

/// Reads topics.
pub(crate) struct KafkaSource {
    options: Arc<SourceOptions>,
    /// Where partitions are gone on with whose next record is not there any more, by the ids of their splits: as the newest look at a checkpoint's has found.
    resets: Mutex<Resets>,
}

/// Where partitions are gone on with, by the ids of their splits.
pub(super) type Resets = HashMap<String, Reset>;

/// Where a partition is gone on with, and the id of its topic by then.
#[derive(Clone)]
pub(super) struct Reset {
    pub offset: i64,
    pub topic_id: Option<String>,
}

impl KafkaSource {
    /// Reads its settings.
    pub(crate) fn new(settings: &Map<String, Value>, base_dir: &Path) -> Result<(Self, Map<String, Value>), SettingsError> {
        let (options, shown) = SourceOptions::read(settings, base_dir)?;
        Ok((Self { options: Arc::new(options), resets: Mutex::default() }, shown))
    }

    fn resets(&self) -> Resets {
        self.resets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn discovery(&self) -> Result<Discovery<'_>, EngineError> {
        Discovery::new(&self.options)
    }
}

impl Source for KafkaSource {
    fn connector(&self) -> &'static str {
        "kafka"
    }

    fn schema(&self) -> Option<String> {
        self.options.header.clone()
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities { bounded: self.options.is_bounded, ..CAPABILITIES }
    }

    /// The brokers may be others of the same cluster, and topics may come; what is no longer read of those that there were is refused by `verify`.
    fn identity(&self) -> Value {
        let mut identity = json!({ "connector": "kafka", "until": self.options.is_bounded.then_some("end") });
        if let Some(fields) = &self.options.fields {
            identity["fields"] = fields.identity();
        }
        identity
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        async { self.discovery()?.all() }.boxed()
    }

    fn order(&self, _parallelism: u32) -> SourceOrder {
        SourceOrder::Within("partition")
    }

    fn timestamps(&self) -> Option<String> {
        let field = self.options.fields.as_ref().and_then(ValueFields::time);
        Some(field.map_or_else(|| "the message's timestamp".into(), |field| format!("the field `{field}`")))
    }

    fn new_splits<'a>(&'a self, known: &'a [SplitState], _parallelism: u32) -> BoxFuture<'a, Result<Vec<SplitState>, EngineError>> {
        async {
            match self.options.is_bounded {
                true => Ok(Vec::new()),
                false => self.discovery()?.new_since(known, &self.resets()),
            }
        }
        .boxed()
    }

    fn discovery_interval(&self) -> Option<Duration> {
        (!self.options.is_bounded).then_some(self.options.discovery_interval)
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        async {
            let (said, resets) = self.discovery()?.verify(splits)?;
            *self.resets.lock().unwrap_or_else(PoisonError::into_inner) = resets;
            Ok(said)
        }
        .boxed()
    }

    fn reader(&self, _context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(KafkaReader::new(self.options.clone(), splits, &self.resets())?))
    }
}
