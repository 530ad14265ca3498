//! The statements that bring rows into the target, as the server knows them: a chunk as a whole, or by halves where some record of it is refused.

use super::connection::Connection;
use super::failures::told;
use super::patience::Patience;
use super::replaced::Replaced;
use super::sqlstate::Blame;
use super::statements::{BY_PLACE, Statements};
use super::stopped::Stopped;
use std::ops::Range;
use tokio_postgres::{Statement, Transaction};
use weir_engine::RecordBatch;

/// The savepoint in front of a part. There is one at a time.
const PART: &str = "weir_part";

/// The statements of [`Statements`].
pub(super) struct Prepared {
    pub copy: Statement,
    delete: Option<Statement>,
    insert: Statement,
    /// Looks at records that others replace. Absent where none does, or where nobody asks for them.
    pub replaced: Option<Replaced>,
    patience: Patience,
}

impl Prepared {
    /// Makes the temporary table. `sets_aside`: records that the target refuses are set aside, those that others replace too.
    pub(super) async fn of(connection: &Connection, statements: &Statements, sets_aside: bool) -> Result<Self, tokio_postgres::Error> {
        let (client, patience) = (&connection.client, connection.patience.clone());
        client.batch_execute(&statements.stage).await?;
        patience.heard();
        let delete = match &statements.delete {
            Some(delete) => Some(client.prepare(delete).await?),
            None => None,
        };
        patience.heard();
        let copy = client.prepare(&statements.copy).await?;
        patience.heard();
        let replaced = match statements.replaced.as_ref().filter(|_| sets_aside) {
            Some(replaced) => Some(Replaced::of(connection, replaced).await?),
            None => None,
        };
        patience.heard();
        Ok(Self { copy, delete, insert: client.prepare(&statements.insert).await?, replaced, patience })
    }

    /// Brings the staged rows of these records into the target.
    pub(super) async fn apply(
        &self,
        transaction: &Transaction<'_>,
        records: &RecordBatch,
        of: Range<usize>,
    ) -> Result<(), tokio_postgres::Error> {
        let (from, to) = (of.start as i64, of.end as i64);
        if let (Some(delete), false) = (&self.delete, records.valueless().is_empty()) {
            transaction.execute(delete, &[&from, &to]).await?;
            self.patience.heard();
        }
        transaction.execute(&self.insert, &[&from, &to]).await?;
        self.patience.heard();
        Ok(())
    }

    /// The same, part by part where the server refuses some: what is left of them is single records, which `leave_out` is told of, with why. The parts come in the
    /// order of the records, so of a key's records the last one that fits decides.
    pub(super) async fn apply_what_fits(
        &self,
        transaction: &mut Transaction<'_>,
        records: &RecordBatch,
        mut leave_out: impl FnMut(usize, String) -> Result<(), Stopped> + Send,
    ) -> Result<(), Stopped> {
        let whole = 0..records.len();
        let (mut parts, mut is_halved) = (vec![whole], false);
        while let Some(part) = parts.pop() {
            let savepoint = transaction.savepoint(PART).await?;
            self.patience.heard();
            match self.apply(&savepoint, records, part.clone()).await {
                Ok(()) => savepoint.commit().await?,
                Err(error) => {
                    // A refusal is an answer: many of them in a row are no silence.
                    self.patience.heard();
                    let refused = error.as_db_error().filter(|refused| Blame::of(refused.code()) == Blame::Record).map(told);
                    let Some(why) = refused else { return Err(error.into()) };
                    savepoint.rollback().await?;
                    forget_part(transaction).await?;
                    if part.len() == 1 {
                        leave_out(part.start, why)?;
                        continue;
                    }
                    if !std::mem::replace(&mut is_halved, true) {
                        // Else each part would look through the whole chunk.
                        transaction.batch_execute(BY_PLACE).await?;
                    }
                    let half = part.start + part.len() / 2;
                    parts.extend([half..part.end, part.start..half]);
                }
            }
        }
        Ok(())
    }
}

/// Ends a savepoint that was gone back to: the server would keep it, and all later ones within it.
pub(super) async fn forget_part(transaction: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    transaction.batch_execute(&format!("RELEASE SAVEPOINT {PART}")).await
}

/// Sets a savepoint in front of a part.
pub(super) async fn begin_part<'t>(transaction: &'t mut Transaction<'_>) -> Result<Transaction<'t>, tokio_postgres::Error> {
    transaction.savepoint(PART).await
}
