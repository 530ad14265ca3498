//! A publisher that has taken over: a connection, with the temporary table that its rows go through.

use super::catalog;
use super::chunk::{Chunk, Faults};
use super::connection::Connection;
use super::failures::Failure;
use super::markers::{Markers, Refused};
use super::prepared::Prepared;
use super::quarantine::Quarantine;
use super::rows::Rows;
use super::settings::TargetOptions;
use super::sqlstate::Blame;
use super::statements::Statements;
use super::stopped::{Statement, Stopped};
use super::transact::{Misfits, Transact, found};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_postgres::IsolationLevel;
use weir_engine::checkpoint::{Marker, MarkerKey};
use weir_engine::outbox::{OutboxOwner, OutboxSession};
use weir_engine::runtime::ConnectorIo;
use weir_engine::{EngineError, ErrorKind, RecordBatch};

/// What has taken over.
pub(super) struct Session {
    connection: Connection,
    markers: Markers,
    rows: Rows,
    table: String,
    prepared: Prepared,
    /// Absent where a record that does not fit fails the job.
    quarantine: Option<Quarantine>,
}

impl Session {
    /// Connects, sees that the job fits the table, and keeps out whoever published before.
    pub(super) async fn take_over(options: &TargetOptions, owner: &OutboxOwner, io: &ConnectorIo) -> Result<Self, EngineError> {
        let connection = options.server.connect(io).await?;
        connection.waiting().attempt("take over", Self::prepare(connection, options, owner)).await
    }

    async fn prepare(mut connection: Connection, options: &TargetOptions, owner: &OutboxOwner) -> Result<Self, EngineError> {
        let columns = catalog::columns(&connection, options).await?;
        connection.patience.heard();
        let statements = Statements::of(&options.table, &columns, options.mode);
        let markers = Markers::take_over(&mut connection, &options.marker_table, owner).await?;
        connection.patience.heard();
        let quarantine = match &options.quarantine_table {
            Some(table) => Some(Quarantine::prepare(&connection, table).await?),
            None => None,
        };
        let failed = |error| Failure::from(error).error(&format!("prepare to write to `{}`", options.table), &connection.place);
        let prepared = Prepared::of(&connection, &statements, quarantine.is_some()).await.map_err(failed)?;
        let (table, rows) = (options.table.to_string(), Rows::of(columns, options.mode));
        Ok(Self { connection, markers, rows, table, prepared, quarantine })
    }

    /// One transaction: the marker alone.
    async fn mark(&mut self, key: &MarkerKey, marker: &Marker) -> Result<(), Refused> {
        let transaction = self.connection.client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?;
        self.markers.lock(&transaction).await?;
        self.markers.set(&transaction, key, marker).await?;
        Ok(transaction.commit().await?)
    }

    /// Publishes a chunk. What the server finds not to fit while rows come in ends the transaction: then it is begun anew without that record, or to find out which
    /// one it is.
    async fn write(&mut self, records: &RecordBatch, key: &MarkerKey, marker: &Marker) -> Result<(), EngineError> {
        let (place, table, patience) = (self.connection.place.clone(), self.table.clone(), self.connection.patience.clone());
        let (mut faults, mut is_named) = (Faults::new(), false);
        loop {
            let Self { connection, markers, rows, prepared, quarantine, .. } = self;
            let chunk = Chunk { records, marker, rows, table: &table, place: &place, patience: &patience };
            let misfits = match quarantine {
                Some(quarantine) => Misfits::SetAside(quarantine),
                None if is_named => Misfits::Named,
                None => Misfits::Refused,
            };
            let transact = Transact { markers, prepared, misfits, chunk: &chunk, key };
            let stopped = match transact.run(connection, &mut faults).await {
                Err(Stopped::SomeMisfit { by: Statement::Copy, refused }) => match transact.first_refused(connection, &faults).await {
                    Ok(Some(record)) => Stopped::Misfit(found(record, &refused)),
                    Ok(None) => Stopped::Refused(Refused::Failed(Failure::Refused(refused))),
                    Err(stopped) => stopped,
                },
                Err(stopped) => stopped,
                Ok(()) => {
                    quarantine.iter_mut().for_each(|quarantine| quarantine.count(records.len(), &faults));
                    return Ok(());
                }
            };
            match (stopped, quarantine) {
                (Stopped::Misfit(fault), None) => return Err(chunk.error(&fault)),
                (Stopped::Misfit(fault), Some(quarantine)) => {
                    faults.insert(fault.record, fault.why);
                    quarantine.admit(&chunk, &faults)?;
                }
                (Stopped::SomeMisfit { .. }, None) if !is_named => is_named = true,
                (Stopped::SomeMisfit { refused, .. }, _) => return Err(self.failed(Refused::Failed(Failure::Refused(refused)))),
                (Stopped::TooMany(error), _) => return Err(error),
                (Stopped::Refused(refused), _) => return Err(self.failed(refused)),
            }
        }
    }

    fn failed(&self, refused: Refused) -> EngineError {
        let (attempted, place) = (format!("write to `{}`", self.table), &self.connection.place);
        match refused {
            Refused::TakenOver => EngineError::new(ErrorKind::Fenced, format!("{attempted}: {place}: another publisher has taken over")),
            Refused::Reset => EngineError::new(ErrorKind::Retry, format!("{attempted}: {place}: the row that says who publishes is gone")),
            Refused::Failed(failure) => {
                let error = failure.error(&attempted, place);
                match &failure {
                    Failure::Refused(refused) if Blame::of(refused.code()) == Blame::Record => error.with_hint(
                        "a record breaks a rule of the table's: leave such records out in front of the sink, have them set aside by `on-error = \"quarantine\"`, or change the rule",
                    ),
                    Failure::Refused(_) | Failure::Gone(_) | Failure::Untrusted { .. } => error,
                }
            }
        }
    }
}

impl OutboxSession for Session {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        let waiting = self.connection.waiting();
        let read = async move { self.markers.get(&self.connection.client, key).await.map_err(|refused| self.failed(refused)) };
        async move { waiting.attempt("read the marker", read).await }.boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        let waiting = self.connection.waiting();
        let mark = async move { self.mark(key, marker).await.map_err(|refused| self.failed(refused)) };
        async move { waiting.attempt("set the marker", mark).await }.boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        let (waiting, attempted) = (self.connection.waiting(), format!("write to `{}`", self.table));
        async move { waiting.attempt(&attempted, self.write(records, key, marker)).await }.boxed()
    }
}
