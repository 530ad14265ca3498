//! The table that says how much is published: a row for each marker, and one for each log and sink that says who publishes.
//!
//! Whoever takes over puts a token of chance into that row; every transaction of a publisher locks the row and sees that the token is still its own. So
//! nothing of a predecessor takes effect behind a takeover: what it has begun is waited for, and what it begins later is refused.

use super::connection::Connection;
use super::failures::Failure;
use super::table_name::TableName;
use tokio_postgres::error::SqlState;
use tokio_postgres::{GenericClient, Statement};
use weir_engine::checkpoint::{Marker, MarkerKey};
use weir_engine::element::CheckpointId;
use weir_engine::outbox::OutboxOwner;
use weir_engine::{EngineError, ErrorKind};

/// What stands for the lineage in the row that says who publishes: no nonce has a star.
const OWNER: &str = "*owner*";

/// What a server says of a table that somebody else makes at the same time.
const FASTER: [SqlState; 3] = [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT];

/// What markers are read and written with.
pub(super) struct Markers {
    log: String,
    sink: String,
    /// This publisher's.
    token: String,
    read: Statement,
    lock: Statement,
    set: Statement,
}

/// What somebody who may has to run, where this user may not.
fn definition(table: &TableName) -> String {
    let table = table.quoted();
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (log text NOT NULL, sink text NOT NULL, lineage text NOT NULL, \
         checkpoint_id int8 NOT NULL DEFAULT 0, attempt_nonce text NOT NULL DEFAULT '', records int8 NOT NULL DEFAULT 0, \
         attempt int8 NOT NULL DEFAULT 0, token text NOT NULL DEFAULT '', PRIMARY KEY (log, sink, lineage))"
    )
}

/// Sees that one of weir's own tables is there: `what` it is, and the rights that it is used with, for messages.
pub(super) async fn make(
    connection: &Connection,
    what: &str,
    table: &TableName,
    definition: &str,
    rights: &str,
) -> Result<(), EngineError> {
    let client = &connection.client;
    let failed = |attempted: &str, error| Failure::from(error).error(&format!("{attempted} the {what} table `{table}`"), &connection.place);
    let found =
        client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table.quoted()]).await.map_err(|error| failed("look for", error))?;
    if found.get(0) {
        return Ok(());
    }
    match client.batch_execute(definition).await {
        Ok(()) => Ok(()),
        // Another sink was faster, or is about to be: which of them it is told depends on how far that one is.
        Err(error) if error.code().is_some_and(|code| FASTER.contains(code)) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let rights = format!("GRANT {rights} ON {} TO \"{}\"", table.quoted(), connection.place.user());
            Err(failed("make", error).with_hint(format!("have somebody who may run: {definition}; {rights}")))
        }
        Err(error) => Err(failed("make", error)),
    }
}

impl Markers {
    /// Keeps out whoever published before: waits for what is under way, and puts a new token in place.
    pub(super) async fn take_over(connection: &mut Connection, table: &TableName, owner: &OutboxOwner) -> Result<Self, EngineError> {
        make(connection, "marker", table, &definition(table), "SELECT, INSERT, UPDATE").await?;
        let (name, place) = (table.quoted(), connection.place.clone());
        let failed = |error| not_weirs(Failure::from(error), table, |failure| failure.error(&format!("take over in `{table}`"), &place));
        let transaction = connection.client.transaction().await.map_err(failed)?;
        let (log, sink, attempt) = (&owner.log, &owner.sink, owner.attempt.0.cast_signed());
        let insert = format!("INSERT INTO {name} (log, sink, lineage) VALUES ($1, $2, '{OWNER}') ON CONFLICT DO NOTHING");
        transaction.execute(&insert, &[log, sink]).await.map_err(failed)?;
        let newest = format!("SELECT attempt FROM {name} WHERE log = $1 AND sink = $2 AND lineage = '{OWNER}' FOR UPDATE");
        let newest: i64 = transaction.query_one(&newest, &[log, sink]).await.map_err(failed)?.get(0);
        if newest > attempt && !owner.over_newer {
            let message = format!("take over in `{table}`: {place}: attempt {newest} has taken over there, and this is {attempt}");
            return Err(EngineError::new(ErrorKind::Fenced, message));
        }
        let take = format!(
            "UPDATE {name} SET attempt = $3, token = gen_random_uuid()::text WHERE log = $1 AND sink = $2 AND lineage = '{OWNER}' RETURNING token"
        );
        let token: String = transaction.query_one(&take, &[log, sink, &attempt]).await.map_err(failed)?.get(0);
        transaction.commit().await.map_err(failed)?;
        let client = &connection.client;
        let read = format!(
            "SELECT o.token, m.checkpoint_id, m.attempt_nonce, m.records FROM {name} o \
             LEFT JOIN {name} m ON m.log = o.log AND m.sink = $3 AND m.lineage = $4 WHERE o.log = $1 AND o.sink = $2 AND o.lineage = '{OWNER}'"
        );
        let lock = format!("SELECT token FROM {name} WHERE log = $1 AND sink = $2 AND lineage = '{OWNER}' FOR UPDATE");
        let set = format!(
            "INSERT INTO {name} (log, sink, lineage, checkpoint_id, attempt_nonce, records) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (log, sink, lineage) DO UPDATE SET checkpoint_id = EXCLUDED.checkpoint_id, \
             attempt_nonce = EXCLUDED.attempt_nonce, records = EXCLUDED.records"
        );
        Ok(Self {
            log: log.clone(),
            sink: sink.clone(),
            token,
            read: client.prepare(&read).await.map_err(failed)?,
            lock: client.prepare(&lock).await.map_err(failed)?,
            set: client.prepare(&set).await.map_err(failed)?,
        })
    }

    /// The marker under `key`; `None`: there is none.
    pub(super) async fn get(&self, client: &impl GenericClient, key: &MarkerKey) -> Result<Option<Marker>, Refused> {
        let row = client.query_opt(&self.read, &[&self.log, &self.sink, &key.sink, &key.lineage]).await?;
        let row = row.ok_or(Refused::Reset)?;
        self.is_own(&row.get::<_, String>(0))?;
        let Some(checkpoint_id) = row.get::<_, Option<i64>>(1) else { return Ok(None) };
        let (attempt_nonce, records): (String, i64) = (row.get(2), row.get(3));
        let (checkpoint_id, records) = (CheckpointId(checkpoint_id.cast_unsigned()), records.cast_unsigned());
        Ok(Some(Marker { checkpoint_id, attempt_nonce, records }))
    }

    /// Locks the row that says who publishes, until the transaction ends, and sees that it is still this one.
    pub(super) async fn lock(&self, client: &impl GenericClient) -> Result<(), Refused> {
        let row = client.query_opt(&self.lock, &[&self.log, &self.sink]).await?;
        self.is_own(&row.ok_or(Refused::Reset)?.get::<_, String>(0))
    }

    /// Puts a marker in place.
    pub(super) async fn set(&self, client: &impl GenericClient, key: &MarkerKey, marker: &Marker) -> Result<(), Refused> {
        let (checkpoint_id, records) = (marker.checkpoint_id.0.cast_signed(), marker.records.cast_signed());
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&key.log, &key.sink, &key.lineage, &checkpoint_id, &marker.attempt_nonce, &records];
        client.execute(&self.set, &parameters).await?;
        Ok(())
    }

    fn is_own(&self, token: &str) -> Result<(), Refused> {
        if token == self.token { Ok(()) } else { Err(Refused::TakenOver) }
    }
}

/// Why a publisher that has taken over does not come on.
#[derive(Debug)]
pub(super) enum Refused {
    /// Another one has taken over.
    TakenOver,
    /// The row that says who publishes is gone.
    Reset,
    Failed(Failure),
}

impl From<tokio_postgres::Error> for Refused {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// A table of that name that has other columns is somebody else's.
fn not_weirs(failure: Failure, table: &TableName, error: impl FnOnce(&Failure) -> EngineError) -> EngineError {
    let made = error(&failure);
    match failure {
        Failure::Refused(refused) if *refused.code() == SqlState::UNDEFINED_COLUMN => {
            made.with_hint(format!("`{table}` is not weir's: name another by `marker-table`"))
        }
        Failure::Refused(_) | Failure::Gone(_) | Failure::Untrusted { .. } => made,
    }
}
