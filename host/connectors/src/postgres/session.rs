//! A publisher that has taken over: a connection, with the temporary table that its rows go through.

use super::catalog;
use super::connection::{Connection, Place};
use super::failures::{Failure, told};
use super::markers::{Markers, Refused};
use super::rows::{Misfit, Rows};
use super::settings::TargetOptions;
use super::statements::Statements;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, poll_fn};
use futures_util::sink::Sink;
use std::fmt;
use std::pin::{Pin, pin};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{CopyInSink, IsolationLevel, Statement, Transaction};
use weir_engine::checkpoint::{Marker, MarkerKey};
use weir_engine::outbox::{OutboxOwner, OutboxSession};
use weir_engine::runtime::ConnectorIo;
use weir_engine::{EngineError, ErrorKind, RecordBatch};

/// Rows are handed over in pieces of about so many bytes; between two of them others have their turn.
const PIECE: usize = 256 << 10;

/// What has taken over.
pub(super) struct Session {
    connection: Connection,
    markers: Markers,
    rows: Rows,
    table: String,
    copy: Statement,
    delete: Option<Statement>,
    insert: Statement,
}

impl Session {
    /// Connects, sees that the job fits the table, and keeps out whoever published before.
    pub(super) async fn take_over(options: &TargetOptions, owner: &OutboxOwner, io: &ConnectorIo) -> Result<Self, EngineError> {
        let mut connection = options.server.connect(io).await?;
        let columns = catalog::columns(&connection, options).await?;
        let statements = Statements::of(&options.table, &columns, options.mode);
        let markers = Markers::take_over(&mut connection, &options.marker_table, owner).await?;
        let client = &connection.client;
        let failed = |error| Failure::from(error).error(&format!("prepare to write to `{}`", options.table), &connection.place);
        client.batch_execute(&statements.stage).await.map_err(failed)?;
        let copy = client.prepare(&statements.copy).await.map_err(failed)?;
        let insert = client.prepare(&statements.insert).await.map_err(failed)?;
        let delete = match &statements.delete {
            Some(delete) => Some(client.prepare(delete).await.map_err(failed)?),
            None => None,
        };
        let (table, rows) = (options.table.to_string(), Rows::of(columns, options.mode));
        Ok(Self { connection, markers, rows, table, copy, delete, insert })
    }

    /// One transaction: rows, if any, and the marker. The row that keeps others out is locked once the rows are with the server.
    async fn transact(&mut self, records: Option<&RecordBatch>, key: &MarkerKey, marker: &Marker) -> Result<(), Stopped> {
        let place = self.connection.place.clone();
        let transaction = self.connection.client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
        let transaction = transaction.start().await.map_err(Refused::from)?;
        if let Some(records) = records {
            let of = Chunk { records, marker, rows: &self.rows, table: &self.table, place: &place };
            stage(&transaction, &self.copy, &of).await?;
        }
        self.markers.lock(&transaction).await?;
        if let Some(records) = records {
            if let (Some(delete), false) = (&self.delete, records.valueless().is_empty()) {
                transaction.execute(delete, &[]).await.map_err(Refused::from)?;
            }
            transaction.execute(&self.insert, &[]).await.map_err(Refused::from)?;
        }
        self.markers.set(&transaction, key, marker).await?;
        transaction.commit().await.map_err(Refused::from)?;
        Ok(())
    }

    fn failed(&self, refused: Refused) -> EngineError {
        let (attempted, place) = (format!("write to `{}`", self.table), &self.connection.place);
        match refused {
            Refused::TakenOver => EngineError::new(ErrorKind::Fenced, format!("{attempted}: {place}: another publisher has taken over")),
            Refused::Reset => EngineError::new(ErrorKind::Retry, format!("{attempted}: {place}: the row that says who publishes is gone")),
            Refused::Failed(failure) => {
                let error = failure.error(&attempted, place);
                match &failure {
                    Failure::Refused(refused) if is_constraint(refused) => error.with_hint(
                        "a record breaks a rule of the table's: leave such records out in front of the sink, or change the rule",
                    ),
                    Failure::Refused(_) | Failure::Gone(_) | Failure::Untrusted { .. } => error,
                }
            }
        }
    }
}

/// Rules of integrity, as the classes of errors have them.
fn is_constraint(refused: &DbError) -> bool {
    refused.code().code().starts_with("23")
}

/// Why a transaction has come to nothing.
enum Stopped {
    Refused(Refused),
    /// A record is at fault.
    Misfit(EngineError),
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// A chunk, and what errors have to say of it.
struct Chunk<'c> {
    records: &'c RecordBatch,
    marker: &'c Marker,
    rows: &'c Rows,
    table: &'c str,
    place: &'c Place,
}

impl Chunk<'_> {
    /// The error of a record that makes no row.
    fn misfit(&self, record: usize, Misfit { column, why }: &Misfit) -> Stopped {
        let named = Named { chunk: self, record };
        let of_column = match column.and_then(|column| self.rows.column(column)) {
            Some(column) => format!("column `{}` ({}): {why}", column.name, column.type_name),
            None => why.clone(),
        };
        let message = format!("{named} does not fit the table `{}` of {}: {of_column}", self.table, self.place);
        let hint = "mend it, or leave such records out in front of the sink";
        Stopped::Misfit(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
    }

    /// The error of what the server has refused while rows came in. It names the row and the column of the temporary table.
    fn refused(&self, error: tokio_postgres::Error) -> Stopped {
        let Some(refused) = error.as_db_error() else { return Stopped::Refused(error.into()) };
        let context = refused.where_().unwrap_or_default();
        let is_of_data = refused.code().code().starts_with("22") || *refused.code() == SqlState::CHECK_VIOLATION;
        match number_behind(context, "line ").filter(|line| is_of_data && (1..=self.records.len()).contains(line)) {
            Some(line) => self.misfit(line - 1, &Misfit { column: number_behind(context, "column c"), why: told(refused) }),
            None => Stopped::Refused(error.into()),
        }
    }
}

/// A record, as an error names it.
struct Named<'c> {
    chunk: &'c Chunk<'c>,
    record: usize,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Chunk { records, marker, .. } = self.chunk;
        let first = marker.records.saturating_sub(records.len() as u64);
        write!(f, "record {} of checkpoint {}", first + self.record as u64 + 1, marker.checkpoint_id)?;
        match records.key(self.record).map(String::from_utf8_lossy) {
            Some(key) => write!(f, " (key {:?})", key.chars().take(60).collect::<String>()),
            None => Ok(()),
        }
    }
}

/// The number behind `word` in what the server says.
fn number_behind(text: &str, word: &str) -> Option<usize> {
    let (_, behind) = text.split_once(word)?;
    behind.split(|digit: char| !digit.is_ascii_digit()).next()?.parse().ok()
}

/// Copies the rows of a chunk into the temporary table.
async fn stage(transaction: &Transaction<'_>, copy: &Statement, chunk: &Chunk<'_>) -> Result<(), Stopped> {
    let sink: CopyInSink<Bytes> = transaction.copy_in(copy).await.map_err(Refused::from)?;
    let (mut sink, mut piece) = (pin!(sink), Vec::with_capacity(PIECE + PIECE / 4));
    for record in 0..chunk.records.len() {
        chunk.rows.push(chunk.records, record, &mut piece).map_err(|misfit| chunk.misfit(record, &misfit))?;
        if piece.len() >= PIECE {
            let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE + PIECE / 4));
            if !send(sink.as_mut(), full).await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // Where the server has refused a row already, the end of it says so.
    if !piece.is_empty() {
        send(sink.as_mut(), piece).await;
    }
    sink.finish().await.map(|_| ()).map_err(|error| chunk.refused(error))
}

/// Hands over a piece; false: the server takes no more.
async fn send(mut sink: Pin<&mut CopyInSink<Bytes>>, piece: Vec<u8>) -> bool {
    poll_fn(|cx| sink.as_mut().poll_ready(cx)).await.is_ok() && sink.start_send(piece.into()).is_ok()
}

impl OutboxSession for Session {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        async move { self.markers.get(&self.connection.client, key).await.map_err(|refused| self.failed(refused)) }.boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        async move { self.transact(None, key, marker).await.map_err(|stopped| self.stopped(stopped)) }.boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        async move { self.transact(Some(records), key, marker).await.map_err(|stopped| self.stopped(stopped)) }.boxed()
    }
}

impl Session {
    fn stopped(&self, stopped: Stopped) -> EngineError {
        match stopped {
            Stopped::Refused(refused) => self.failed(refused),
            Stopped::Misfit(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::number_behind;

    #[test]
    fn the_row_and_the_column_are_found_in_what_the_server_says() {
        let context = "COPY weir_staged, line 17, column c2: \"abc\"";
        assert_eq!((number_behind(context, "line "), number_behind(context, "column c")), (Some(17), Some(2)));
        assert_eq!(number_behind("COPY weir_staged, line 3", "column c"), None);
    }
}
