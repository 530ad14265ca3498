//! A publisher that has taken over: a connection, with the temporary table that its rows go through.

use super::catalog;
use super::chunk::{Chunk, Faults, Stopped};
use super::connection::Connection;
use super::failures::{Failure, told};
use super::markers::{Markers, Refused};
use super::quarantine::Quarantine;
use super::rows::Rows;
use super::settings::TargetOptions;
use super::statements::Statements;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::ops::Range;
use tokio_postgres::error::DbError;
use tokio_postgres::{IsolationLevel, Statement, Transaction};
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

/// The statements of [`Statements`], as the server knows them.
struct Prepared {
    copy: Statement,
    delete: Option<Statement>,
    insert: Statement,
}

impl Prepared {
    async fn of(connection: &Connection, statements: &Statements) -> Result<Self, tokio_postgres::Error> {
        let client = &connection.client;
        client.batch_execute(&statements.stage).await?;
        let delete = match &statements.delete {
            Some(delete) => Some(client.prepare(delete).await?),
            None => None,
        };
        Ok(Self { copy: client.prepare(&statements.copy).await?, delete, insert: client.prepare(&statements.insert).await? })
    }

    /// Brings the staged rows of these records into the target.
    async fn apply(&self, transaction: &Transaction<'_>, records: &RecordBatch, of: Range<usize>) -> Result<(), tokio_postgres::Error> {
        let (from, to) = (of.start as i64, of.end as i64);
        if let (Some(delete), false) = (&self.delete, records.valueless().is_empty()) {
            transaction.execute(delete, &[&from, &to]).await?;
        }
        transaction.execute(&self.insert, &[&from, &to]).await.map(|_| ())
    }

    /// The same, part by part where the server refuses some: what is left of them is single records, which are left out. The parts come in the order of the records,
    /// so of a key's records the last one that fits decides.
    async fn apply_what_fits(
        &self,
        transaction: &mut Transaction<'_>,
        (chunk, quarantine): (&Chunk<'_>, &Quarantine),
        faults: &mut Faults,
    ) -> Result<(), Stopped> {
        let records = chunk.records;
        let whole = 0..records.len();
        let mut parts = vec![whole];
        while let Some(part) = parts.pop() {
            let savepoint = transaction.savepoint("weir_part").await?;
            match self.apply(&savepoint, records, part.clone()).await {
                Ok(()) => savepoint.commit().await?,
                Err(error) => {
                    let refused = error.as_db_error().filter(|refused| is_of_a_record(refused)).map(told);
                    let Some(why) = refused else { return Err(error.into()) };
                    savepoint.rollback().await?;
                    match part.len() {
                        1 => {
                            faults.insert(part.start, why);
                            quarantine.admit(chunk, faults).map_err(Stopped::TooMany)?;
                        }
                        records => {
                            let half = part.start + records / 2;
                            parts.extend([half..part.end, part.start..half]);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Session {
    /// Connects, sees that the job fits the table, and keeps out whoever published before.
    pub(super) async fn take_over(options: &TargetOptions, owner: &OutboxOwner, io: &ConnectorIo) -> Result<Self, EngineError> {
        let mut connection = options.server.connect(io).await?;
        let columns = catalog::columns(&connection, options).await?;
        let statements = Statements::of(&options.table, &columns, options.mode);
        let markers = Markers::take_over(&mut connection, &options.marker_table, owner).await?;
        let quarantine = match &options.quarantine_table {
            Some(table) => Some(Quarantine::prepare(&connection, table).await?),
            None => None,
        };
        let failed = |error| Failure::from(error).error(&format!("prepare to write to `{}`", options.table), &connection.place);
        let prepared = Prepared::of(&connection, &statements).await.map_err(failed)?;
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

    /// Publishes a chunk. What the server finds not to fit while rows come in ends the transaction: then it is begun anew without that record.
    async fn write(&mut self, records: &RecordBatch, key: &MarkerKey, marker: &Marker) -> Result<(), EngineError> {
        let (place, table) = (self.connection.place.clone(), self.table.clone());
        let mut faults = Faults::new();
        loop {
            let Self { connection, markers, rows, prepared, quarantine, .. } = self;
            let chunk = Chunk { records, marker, rows, table: &table, place: &place };
            let transaction = Transact { markers, prepared, quarantine: quarantine.as_ref(), chunk: &chunk, key };
            match transaction.run(connection, &mut faults).await {
                Ok(()) => {
                    quarantine.iter_mut().for_each(|quarantine| quarantine.count(records.len(), &faults));
                    return Ok(());
                }
                Err(Stopped::Misfit(fault)) => match quarantine {
                    None => return Err(chunk.error(&fault)),
                    Some(quarantine) => {
                        faults.insert(fault.record, fault.why);
                        quarantine.admit(&chunk, &faults)?;
                    }
                },
                Err(Stopped::TooMany(error)) => return Err(error),
                Err(Stopped::Refused(refused)) => return Err(self.failed(refused)),
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
                    Failure::Refused(refused) if is_of_a_record(refused) => error.with_hint(
                        "a record breaks a rule of the table's: leave such records out in front of the sink, have them set aside by `on-error = \"quarantine\"`, or change the rule",
                    ),
                    Failure::Refused(_) | Failure::Gone(_) | Failure::Untrusted { .. } => error,
                }
            }
        }
    }
}

/// One try to publish a chunk.
struct Transact<'t> {
    markers: &'t Markers,
    prepared: &'t Prepared,
    quarantine: Option<&'t Quarantine>,
    chunk: &'t Chunk<'t>,
    key: &'t MarkerKey,
}

impl Transact<'_> {
    /// One transaction: rows, what is set aside, and the marker. The row that keeps others out is locked once the rows are with the server.
    async fn run(&self, connection: &mut Connection, faults: &mut Faults) -> Result<(), Stopped> {
        let Chunk { records, marker, .. } = *self.chunk;
        let transaction = connection.client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
        let mut transaction = transaction.start().await?;
        self.chunk.stage(&transaction, &self.prepared.copy, faults, self.quarantine.is_some()).await?;
        self.markers.lock(&transaction).await?;
        match self.quarantine {
            None => self.prepared.apply(&transaction, records, 0..records.len()).await?,
            Some(quarantine) => {
                quarantine.admit(self.chunk, faults).map_err(Stopped::TooMany)?;
                self.prepared.apply_what_fits(&mut transaction, (self.chunk, quarantine), faults).await?;
                quarantine.write(&transaction, self.key, self.chunk, faults).await?;
            }
        }
        self.markers.set(&transaction, self.key, marker).await?;
        Ok(transaction.commit().await?)
    }
}

/// Rules of integrity, values that a rule of the table's cannot work with, and what its triggers raise, as the classes of errors have them.
fn is_of_a_record(refused: &DbError) -> bool {
    refused.code().code().get(..2).is_some_and(|class| ["22", "23", "44", "P0"].contains(&class))
}

impl OutboxSession for Session {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        async move { self.markers.get(&self.connection.client, key).await.map_err(|refused| self.failed(refused)) }.boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        async move { self.mark(key, marker).await.map_err(|refused| self.failed(refused)) }.boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        self.write(records, key, marker).boxed()
    }
}
