//! One try to publish a chunk: rows, what is set aside, and the marker, in one transaction.

use super::chunk::{Chunk, Faults};
use super::connection::Connection;
use super::failures::told;
use super::markers::Markers;
use super::prepared::{Prepared, begin_part, forget_part};
use super::quarantine::Quarantine;
use super::sqlstate::Blame;
use super::stopped::{Fault, Statement, Stopped};
use tokio_postgres::{IsolationLevel, Transaction};
use weir_engine::checkpoint::MarkerKey;

/// What becomes of records that do not fit.
#[derive(Clone, Copy)]
pub(super) enum Misfits<'t> {
    /// The chunk is refused for them.
    Refused,
    /// The same, and the first one is found.
    Named,
    SetAside(&'t Quarantine),
}

/// One try.
pub(super) struct Transact<'t> {
    pub markers: &'t Markers,
    pub prepared: &'t Prepared,
    pub misfits: Misfits<'t>,
    pub chunk: &'t Chunk<'t>,
    pub key: &'t MarkerKey,
}

impl Transact<'_> {
    /// The row that keeps others out is locked once the rows are with the server.
    pub(super) async fn run(&self, connection: &mut Connection, faults: &mut Faults) -> Result<(), Stopped> {
        let Chunk { records, marker, .. } = *self.chunk;
        let patience = connection.patience.clone();
        let mut transaction = begin(connection).await?;
        self.stage(&transaction, faults).await?;
        self.markers.lock(&transaction).await?;
        patience.heard();
        match self.misfits {
            Misfits::Refused => {
                let applied = self.prepared.apply(&transaction, records, 0..records.len()).await;
                applied.map_err(some_misfit)?;
            }
            Misfits::Named => {
                let named = |record, why| Err(Stopped::Misfit(Fault { record, why }));
                self.prepared.apply_what_fits(&mut transaction, records, named).await?;
            }
            Misfits::SetAside(quarantine) => {
                quarantine.admit(self.chunk, faults).map_err(Stopped::TooMany)?;
                let mut set_aside = |record, why| {
                    faults.insert(record, why);
                    quarantine.admit(self.chunk, faults).map_err(Stopped::TooMany)
                };
                if let Some(replaced) = &self.prepared.replaced {
                    replaced.leave_out(&mut transaction, &mut set_aside).await?;
                }
                self.prepared.apply_what_fits(&mut transaction, records, set_aside).await?;
                quarantine.write(&transaction, self.key, self.chunk, faults).await?;
            }
        }
        patience.heard();
        self.markers.set(&transaction, self.key, marker).await?;
        patience.heard();
        Ok(transaction.commit().await?)
    }

    async fn stage(&self, transaction: &Transaction<'_>, faults: &mut Faults) -> Result<(), Stopped> {
        let staged: Vec<usize> = (0..self.chunk.records.len()).filter(|record| !faults.contains_key(record)).collect();
        let set_aside = matches!(self.misfits, Misfits::SetAside(_));
        self.chunk.stage(transaction, &self.prepared.copy, &staged, faults, set_aside).await
    }

    /// The first of the records but for `faults` whose row the server does not take, by halves, in a transaction that comes to nothing. `None`: it takes each of them
    /// now.
    pub(super) async fn first_refused(&self, connection: &mut Connection, faults: &Faults) -> Result<Option<usize>, Stopped> {
        let all: Vec<usize> = (0..self.chunk.records.len()).filter(|record| !faults.contains_key(record)).collect();
        let (mut among, mut transaction) = (&all[..], begin(connection).await?);
        let copy = &self.prepared.copy;
        // What is behind `among` is not looked at, what is in front of it fits.
        while among.len() > 1 {
            let (front, back) = among.split_at(among.len() / 2);
            let part = begin_part(&mut transaction).await?;
            match self.chunk.stage(&part, copy, front, &mut Faults::new(), true).await {
                Ok(()) => {
                    part.commit().await?;
                    among = back;
                }
                Err(Stopped::SomeMisfit { .. } | Stopped::Misfit(_)) => {
                    part.rollback().await?;
                    forget_part(&transaction).await?;
                    among = front;
                }
                Err(stopped) => return Err(stopped),
            }
        }
        match self.chunk.stage(&transaction, copy, among, &mut Faults::new(), true).await {
            Ok(()) => Ok(None),
            Err(Stopped::SomeMisfit { .. } | Stopped::Misfit(_)) => Ok(among.first().copied()),
            Err(stopped) => Err(stopped),
        }
    }
}

async fn begin(connection: &mut Connection) -> Result<Transaction<'_>, tokio_postgres::Error> {
    connection.client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await
}

fn some_misfit(error: tokio_postgres::Error) -> Stopped {
    match error.as_db_error().filter(|refused| Blame::of(refused.code()) == Blame::Record) {
        Some(refused) => Stopped::SomeMisfit { by: Statement::Apply, refused: Box::new(refused.clone()) },
        None => error.into(),
    }
}

/// The fault of a record that the server has not named, for which it has refused all.
pub(super) fn found(record: usize, refused: &tokio_postgres::error::DbError) -> Fault {
    Fault { record, why: told(refused) }
}
