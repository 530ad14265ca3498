//! Records that a later one of their key replaces within a chunk. Rows are made of the last one of each key alone, so the table would never be asked for the
//! others: where records are set aside, it is asked for these as well, in front of all rows and without a trace.
//!
//! They are inserted with `ON CONFLICT DO NOTHING` behind a savepoint that is gone back to. The server looks at a row's columns, its constraints and its triggers
//! in front of an insert before it looks for conflicts, so one statement has all of them looked at, and next to nothing is written. What it looks at only when a
//! row is there stays out, because such a row never is: other rows with the same values, rows that are referred to, the size of an entry of an index.

use super::connection::Connection;
use super::failures::told;
use super::patience::Patience;
use super::prepared::{begin_part, forget_part};
use super::sqlstate::Blame;
use super::statements::{BY_PLACE, OfReplaced};
use super::stopped::Stopped;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Statement, Transaction};

/// The statements of [`OfReplaced`].
pub(super) struct Replaced {
    try_all: Statement,
    find: Statement,
    try_some: Statement,
    leave_out: Statement,
    patience: Patience,
}

impl Replaced {
    pub(super) async fn of(connection: &Connection, statements: &OfReplaced) -> Result<Self, tokio_postgres::Error> {
        let (client, patience) = (&connection.client, connection.patience.clone());
        let try_all = client.prepare(&statements.try_all).await?;
        patience.heard();
        let find = client.prepare(&statements.find).await?;
        patience.heard();
        let try_some = client.prepare(&statements.try_some).await?;
        patience.heard();
        Ok(Self { try_all, find, try_some, leave_out: client.prepare(&statements.leave_out).await?, patience })
    }

    /// Takes those that the table refuses out of what is staged. `leave_out` is told of each, with why. They are found by halves, where any is refused at all.
    pub(super) async fn leave_out(
        &self,
        transaction: &mut Transaction<'_>,
        mut leave_out: impl FnMut(usize, String) -> Result<(), Stopped> + Send,
    ) -> Result<(), Stopped> {
        if self.refused(transaction, None).await?.is_none() {
            return Ok(());
        }
        let rows = transaction.query(&self.find, &[]).await?;
        self.patience.heard();
        let replaced: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        let (mut parts, mut refused) = (vec![&replaced[..]], Vec::new());
        transaction.batch_execute(BY_PLACE).await?;
        self.patience.heard();
        while let Some(part) = parts.pop() {
            let Some(why) = self.refused(transaction, Some(part)).await? else { continue };
            if let [record] = part {
                leave_out(*record as usize, why)?;
                refused.push(*record);
                continue;
            }
            let (front, back) = part.split_at(part.len() / 2);
            parts.extend([back, front]);
        }
        transaction.execute(&self.leave_out, &[&refused]).await?;
        self.patience.heard();
        Ok(())
    }

    /// Why the table does not take all of these records, or all that are replaced; `None`: it does, or what it says is nothing to be said of them.
    async fn refused(&self, transaction: &mut Transaction<'_>, some: Option<&[i64]>) -> Result<Option<String>, Stopped> {
        let savepoint = begin_part(transaction).await?;
        let tried = match some {
            Some(records) => savepoint.execute(&self.try_some, &[&records]).await,
            None => savepoint.execute(&self.try_all, &[]).await,
        };
        // A refusal is an answer as well.
        self.patience.heard();
        savepoint.rollback().await?;
        forget_part(transaction).await?;
        self.patience.heard();
        let Err(error) = tried else { return Ok(None) };
        let Some(refused) = error.as_db_error().filter(|refused| Blame::of(refused.code()) == Blame::Record) else {
            return Err(error.into());
        };
        // What is referred to may come with the chunk. It is looked for behind all else: all of these have passed that.
        Ok((*refused.code() != SqlState::FOREIGN_KEY_VIOLATION).then(|| told(refused)))
    }
}
