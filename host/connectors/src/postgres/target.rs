//! The sink `postgres`, exactly-once: an outbox whose target is a table, with transactions that have the marker in them.

use super::session::Session;
use super::settings::TargetOptions;
use crate::settings::SettingsError;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use weir_engine::EngineError;
use weir_engine::outbox::{OutboxOwner, OutboxSession, OutboxSink, OutboxTarget};
use weir_engine::runtime::ConnectorIo;

/// Makes the sink of its settings.
pub(crate) fn sink(given: &Map<String, Value>, base_dir: &Path) -> Result<(OutboxSink, Map<String, Value>), SettingsError> {
    let (options, shown) = TargetOptions::read(given, base_dir)?;
    Ok((OutboxSink::new(Arc::new(PostgresTarget { options })), shown))
}

/// A table that is published to.
struct PostgresTarget {
    options: TargetOptions,
}

impl OutboxTarget for PostgresTarget {
    fn connector(&self) -> &'static str {
        "postgres"
    }

    /// The server may have moved, with all that it has. Another one has no marker of the job's, and is refused for that.
    fn identity(&self) -> Value {
        let TargetOptions { table, marker_table, .. } = &self.options;
        json!({ "table": table.to_string(), "marker-table": marker_table.to_string() })
    }

    fn max_unpublished(&self) -> Option<u64> {
        Some(self.options.max_unpublished)
    }

    fn take_over<'a>(&'a self, owner: &'a OutboxOwner, io: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        async move {
            let session = Session::take_over(&self.options, owner, io).await?;
            Ok(Box::new(session) as Box<dyn OutboxSession>)
        }
        .boxed()
    }
}
