//! Records that fit no row: a job may have them set aside in a table of the same database, in the transaction that would have made rows of them. So each is there
//! once, like the rows, and whoever mends them finds key, value and why.

use super::chunk::{Chunk, Faults};
use super::connection::Connection;
use super::failures::Failure;
use super::markers::{Refused, make};
use super::table_name::TableName;
use std::borrow::Cow;
use tokio_postgres::{Statement, Transaction};
use weir_engine::checkpoint::MarkerKey;
use weir_engine::element::NO_TIMESTAMP;
use weir_engine::{EngineError, ErrorKind};

/// So many records a connection sets aside at most.
const MOST: u64 = 1_000;
/// Once it has seen so many records, one in a hundred is the most.
const SEEN: u64 = 10_000;

/// What `timestamptz` has a place for, in ms since 1970: from 4714-11-24 BC up to the end of 294276.
const TIMES: (i64, i64) = (-210_866_803_200_000, 9_224_318_015_999_000);

/// The table, and how much this connection has put there.
pub(super) struct Quarantine {
    table: TableName,
    insert: Statement,
    seen: u64,
    set_aside: u64,
}

fn definition(table: &TableName) -> String {
    let table = table.quoted();
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (log text NOT NULL, sink text NOT NULL, checkpoint_id int8 NOT NULL, record int8 NOT NULL, \
         key bytea, value bytea, record_time timestamptz, error text NOT NULL, set_aside timestamptz NOT NULL DEFAULT now())"
    )
}

impl Quarantine {
    /// Sees that the table is there.
    pub(super) async fn prepare(connection: &Connection, table: &TableName) -> Result<Self, EngineError> {
        make(connection, "quarantine", table, &definition(table), "INSERT").await?;
        let insert = format!(
            "INSERT INTO {} (log, sink, checkpoint_id, record, key, value, record_time, error) \
             VALUES ($1, $2, $3, $4, $5, $6, to_timestamp($7::int8 / 1000.0), $8)",
            table.quoted()
        );
        let failed = |error| Failure::from(error).error(&format!("prepare to write to the quarantine table `{table}`"), &connection.place);
        let insert = connection.client.prepare(&insert).await.map_err(failed)?;
        Ok(Self { table: table.clone(), insert, seen: 0, set_aside: 0 })
    }

    /// Whether so many of a chunk may be set aside; the error names one of them.
    pub(super) fn admit(&self, chunk: &Chunk<'_>, faults: &Faults) -> Result<(), EngineError> {
        let (seen, set_aside) = (self.seen + chunk.records.len() as u64, self.set_aside + faults.len() as u64);
        let too_many = set_aside > MOST || seen >= SEEN && set_aside * 100 > seen;
        match faults.last_key_value().filter(|_| too_many) {
            None => Ok(()),
            Some((record, why)) => {
                let message = format!(
                    "set records aside in `{}`: {set_aside} of {seen} records do not fit the table `{}` of {}, the last one being record {} of checkpoint {}: {why}",
                    self.table,
                    chunk.table,
                    chunk.place,
                    chunk.place_of(*record),
                    chunk.marker.checkpoint_id
                );
                let hint = format!("more than {MOST}, or than one in a hundred, are no exceptions: see whether `columns` are right");
                Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
            }
        }
    }

    /// Puts them there, in the transaction that has the others.
    pub(super) async fn write(
        &self,
        transaction: &Transaction<'_>,
        key: &MarkerKey,
        chunk: &Chunk<'_>,
        faults: &Faults,
    ) -> Result<(), Refused> {
        let checkpoint_id = chunk.marker.checkpoint_id.0.cast_signed();
        for (record, why) in faults {
            let (place, time) = (chunk.place_of(*record).cast_signed(), chunk.records.timestamps()[*record]);
            let (time, why) = record_time(time, why);
            let (of_key, value) = (chunk.records.key(*record), chunk.records.value(*record));
            transaction.execute(&self.insert, &[&key.log, &key.sink, &checkpoint_id, &place, &of_key, &value, &time, &&*why]).await?;
            chunk.patience.heard();
        }
        Ok(())
    }

    /// Counts a chunk whose transaction is committed.
    pub(super) fn count(&mut self, records: usize, faults: &Faults) {
        self.seen += records as u64;
        self.set_aside += faults.len() as u64;
        if let Some((_, why)) = faults.last_key_value() {
            tracing::warn!(table = %self.table, set_aside = faults.len(), set_aside_total = self.set_aside, %why, "records set aside");
        }
    }
}

/// The time of a record that is set aside, as far as the server has a place for it, and why it is: with the time itself where that is another.
fn record_time(time: i64, why: &str) -> (Option<i64>, Cow<'_, str>) {
    let (first, last) = TIMES;
    match time {
        NO_TIMESTAMP => (None, why.into()),
        time if (first..=last).contains(&time) => (Some(time), why.into()),
        time => (Some(time.clamp(first, last)), format!("{why} (its time is {time} ms since 1970)").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_server_has_a_place_for_is_the_nearest_that_it_has_and_said() {
        assert_eq!(record_time(5, "why"), (Some(5), "why".into()));
        assert_eq!(record_time(NO_TIMESTAMP, "why"), (None, "why".into()));
        assert_eq!(record_time(i64::MAX, "why"), (Some(TIMES.1), "why (its time is 9223372036854775807 ms since 1970)".into()));
        assert_eq!(record_time(i64::MIN + 1, "why").0, Some(TIMES.0));
    }
}
