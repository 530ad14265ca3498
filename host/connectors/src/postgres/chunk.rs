//! A chunk on its way into the temporary table, and the records of it that are at fault.

use super::connection::Place;
use super::failures::told;
use super::patience::Patience;
use super::rows::{Misfit, Rows};
use super::sqlstate::Blame;
use super::stopped::{Fault, Statement as By, Stopped};
use bytes::Bytes;
use futures_util::future::poll_fn;
use futures_util::sink::Sink;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::{Pin, pin};
use tokio_postgres::{CopyInSink, Statement, Transaction};
use weir_engine::checkpoint::Marker;
use weir_engine::{EngineError, ErrorKind, RecordBatch};

/// Rows are handed over in pieces of about so many bytes; between two of them others have their turn.
const PIECE: usize = 256 << 10;

/// The records of a chunk that are left out, each with why.
pub(super) type Faults = BTreeMap<usize, String>;

/// A chunk, and what errors have to say of it.
pub(super) struct Chunk<'c> {
    pub records: &'c RecordBatch,
    pub marker: &'c Marker,
    pub rows: &'c Rows,
    pub table: &'c str,
    pub place: &'c Place,
    pub patience: &'c Patience,
}

impl Chunk<'_> {
    /// The error of a record that makes no row.
    pub(super) fn error(&self, Fault { record, why }: &Fault) -> EngineError {
        let named = Named { chunk: self, record: *record };
        let message = format!("{named} does not fit the table `{}` of {}: {why}", self.table, self.place);
        let hint = "mend it, leave such records out in front of the sink, or have them set aside by `on-error = \"quarantine\"`";
        EngineError::new(ErrorKind::FixInput, message).with_hint(hint)
    }

    /// The place of a record among those of its checkpoint, from 1 on.
    pub(super) fn place_of(&self, record: usize) -> u64 {
        self.marker.records.saturating_sub(self.records.len() as u64) + record as u64 + 1
    }

    fn fault(&self, record: usize, Misfit { column, why }: Misfit) -> Fault {
        let why = match column.and_then(|column| self.rows.column(column)) {
            Some(column) => format!("column `{}` ({}): {why}", column.name, column.type_name),
            None => why,
        };
        Fault { record, why }
    }

    /// Copies the rows of `these` records into the temporary table. A record that weir itself finds not to fit is put into `faults` where it may be `set_aside`.
    pub(super) async fn stage(
        &self,
        transaction: &Transaction<'_>,
        copy: &Statement,
        these: &[usize],
        faults: &mut Faults,
        set_aside: bool,
    ) -> Result<(), Stopped> {
        let sink: CopyInSink<Bytes> = transaction.copy_in(copy).await?;
        let (mut sink, mut piece) = (pin!(sink), Vec::with_capacity(PIECE + PIECE / 4));
        let mut sent = Vec::with_capacity(these.len());
        for &record in these {
            let before = piece.len();
            match self.rows.push(self.records, record, &mut piece) {
                Ok(()) => sent.push(record),
                Err(misfit) => {
                    let fault = self.fault(record, misfit);
                    if !set_aside {
                        return Err(Stopped::Misfit(fault));
                    }
                    piece.truncate(before);
                    faults.insert(record, fault.why);
                }
            }
            if piece.len() >= PIECE {
                let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE + PIECE / 4));
                if !send(sink.as_mut(), full).await {
                    break;
                }
                self.patience.heard();
                tokio::task::yield_now().await;
            }
        }
        // Where the server has refused a row already, the end of it says so.
        if !piece.is_empty() {
            send(sink.as_mut(), piece).await;
        }
        self.patience.heard();
        sink.finish().await.map(|_| self.patience.heard()).map_err(|error| self.refused(error, &sent))
    }

    /// What the server has refused while rows came in. It names the row and the column of the temporary table, as long as it speaks a language in which they are
    /// found.
    fn refused(&self, error: tokio_postgres::Error, sent: &[usize]) -> Stopped {
        let Some(refused) = error.as_db_error().filter(|refused| Blame::of(refused.code()) == Blame::Record) else { return error.into() };
        let place = place_in_copy(refused.where_().unwrap_or_default());
        match place.and_then(|(line, column)| Some((sent.get(line.checked_sub(1)?)?, column))) {
            Some((record, column)) => Stopped::Misfit(self.fault(*record, Misfit { column, why: told(refused) })),
            None => Stopped::SomeMisfit { by: By::Copy, refused: Box::new(refused.clone()) },
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
        write!(f, "record {} of checkpoint {}", self.chunk.place_of(self.record), marker.checkpoint_id)?;
        match records.key(self.record).map(String::from_utf8_lossy) {
            Some(key) => write!(f, " (key {:?})", key.chars().take(60).collect::<String>()),
            None => Ok(()),
        }
    }
}

/// The row of the temporary table, from 1 on, and the column, as the server says where it was. It says so in its own language, and may say first where in a
/// value it was, which has lines of its own.
fn place_in_copy(context: &str) -> Option<(usize, Option<usize>)> {
    let said = context.lines().find_map(|line| line.strip_prefix("COPY weir_staged"))?;
    let from = said.find(|digit: char| digit.is_ascii_digit())?;
    let digits = said[from..].find(|digit: char| !digit.is_ascii_digit()).unwrap_or(said.len() - from);
    let (row, behind) = said[from..].split_at(digits);
    // What comes behind a colon is the value.
    let named = behind.split([':', '：']).next()?;
    let mut column = named.split(|letter: char| !letter.is_ascii_alphanumeric()).filter_map(|word| word.strip_prefix('c')?.parse().ok());
    Some((row.parse().ok()?, column.next_back()))
}

/// Hands over a piece; false: the server takes no more.
async fn send(mut sink: Pin<&mut CopyInSink<Bytes>>, piece: Vec<u8>) -> bool {
    poll_fn(|cx| sink.as_mut().poll_ready(cx)).await.is_ok() && sink.start_send(piece.into()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::place_in_copy;

    #[test]
    fn the_row_and_the_column_are_found_in_what_the_server_says() {
        for (context, place) in [
            ("COPY weir_staged, line 17, column c2: \"abc\"", Some((17, Some(2)))),
            ("COPY weir_staged, line 3", Some((3, None))),
            ("COPY weir_staged, line 3: \"1, column c7\"", Some((3, None))),
            ("JSON data, line 1: \"\\u0000...\nCOPY weir_staged, line 6, column c1: \"\\u0000\"", Some((6, Some(1)))),
            (
                "JSON data, line 3: COPY weir_staged, line 1\nCOPY weir_staged, line 6, column c1: \"x\nCOPY weir_staged, line 2\"",
                Some((6, Some(1))),
            ),
            ("COPY weir_staged, Zeile 17, Spalte c12: »abc«", Some((17, Some(12)))),
            ("COPY weir_staged、行 5、列 c0: \"x\"", Some((5, Some(0)))),
            ("PL/pgSQL function f() line 3 at RAISE", None),
            ("", None),
        ] {
            assert_eq!(place_in_copy(context), place, "{context}");
        }
    }
}
