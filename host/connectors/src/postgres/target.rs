//! The sink `postgres`, exactly-once: an outbox whose target is a table, with transactions that have the marker in them.

use super::catalog;
use super::session::Session;
use super::settings::TargetOptions;
use crate::settings::SettingsError;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::outbox::{OutboxOwner, OutboxSession, OutboxSink, OutboxTarget};
use weir_engine::runtime::ConnectorIo;
use weir_engine::{EngineError, ErrorKind};

/// Between two looks at a server that is not there yet.
const PAUSE: Duration = Duration::from_millis(200);

/// Makes the sink of its settings.
pub(crate) fn sink(given: &Map<String, Value>, base_dir: &Path) -> Result<(OutboxSink, Map<String, Value>), SettingsError> {
    let (options, shown) = TargetOptions::read(given, base_dir)?;
    Ok((OutboxSink::new(Arc::new(PostgresTarget { options })), shown))
}

/// A table that is published to.
struct PostgresTarget {
    options: TargetOptions,
}

impl PostgresTarget {
    /// Connects, and sees that the job fits the table.
    async fn look_once(&self, io: &ConnectorIo) -> Result<(), EngineError> {
        let TargetOptions { server, .. } = &self.options;
        let connection = server.connect(io).await?;
        let waiting = connection.waiting().within(server.connect_timeout);
        waiting.attempt("look at the table", catalog::columns(&connection, &self.options)).await.map(drop)
    }
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

    /// Errors and what is set aside say of a record of which checkpoint it is, and which one of that.
    fn spans_checkpoints(&self) -> bool {
        false
    }

    fn max_unpublished(&self) -> Option<u64> {
        Some(self.options.max_unpublished)
    }

    /// What may pass is tried again for as long as a connection may take: a server that was started together with the job is there in a moment.
    fn look<'a>(&'a self, io: &'a ConnectorIo) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            let clock = io.clock();
            let until = clock.now().saturating_add(self.options.server.connect_timeout);
            loop {
                match self.look_once(io).await {
                    Err(error) if error.kind() == ErrorKind::Retry && clock.now() < until => {
                        clock.sleep_until(clock.now().saturating_add(PAUSE).min(until)).await;
                    }
                    looked => return looked,
                }
            }
        }
        .boxed()
    }

    fn take_over<'a>(&'a self, owner: &'a OutboxOwner, io: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        async move {
            let session = Session::take_over(&self.options, owner, io).await?;
            Ok(Box::new(session) as Box<dyn OutboxSession>)
        }
        .boxed()
    }
}
