//! Rows of one input with what held at their time of another, whose records are versions.

use super::{Rows, keep};
use crate::error::Result;
use crate::state::{Cbor, Codec, MapState};
use crate::timers::{Timer, Timers};

/// Joins each row with the version of its key that held at the row's time: the newest that is not newer.
///
/// A row waits until event time has come to its own, so that the versions that hold until then have come, in whatever order: [`Self::due`] joins it then. One that
/// comes later than that is joined at once, with what is still known. Versions are kept until event time has come to a newer one.
pub struct TemporalJoin<'a, T, V> {
    rows: &'a mut Rows<T>,
    versions: &'a mut MapState<i64, V>,
    timers: &'a mut Timers,
    /// When rows and versions are due.
    timer: Timer,
}

/// A row, and the version that held at its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithVersion<T, V> {
    /// The row.
    pub row: T,
    /// `None`: there was none yet.
    pub version: Option<V>,
}

impl<'a, T, V> TemporalJoin<'a, T, V>
where
    V: Clone,
    Cbor: Codec<Vec<T>> + Codec<V>,
{
    /// The join of the key that is being worked on. `timer` is one of event time that the operator declares for it.
    pub fn new(rows: &'a mut Rows<T>, versions: &'a mut MapState<i64, V>, timers: &'a mut Timers, timer: Timer) -> Self {
        Self { rows, versions, timers, timer }
    }

    /// A version has come that holds from `time` on. Of two of one time the later one holds.
    pub fn version(&mut self, time: i64, version: &V) -> Result<()> {
        self.versions.put(&time, version)?;
        match self.timers.watermark() {
            Some(watermark) if watermark >= time => self.forget_before(watermark),
            _ => self.timers.set(self.timer, time),
        }
    }

    /// A row has come: it waits, or is joined at once where event time has come to its own.
    pub fn row(&mut self, time: i64, row: T) -> Result<Option<WithVersion<T, V>>> {
        if self.timers.has_come(time) {
            let version = self.newest_until(time)?.map(|(_, version)| version);
            return Ok(Some(WithVersion { row, version }));
        }
        self.timers.set(self.timer, time)?;
        keep(self.rows, time, row)?;
        Ok(None)
    }

    /// The timer has fired that was set to `time`: the rows of that time, in the order in which they came.
    pub fn due(&mut self, time: i64) -> Result<Vec<WithVersion<T, V>>> {
        self.forget_before(time)?;
        let Some(rows) = self.rows.get(&time)? else { return Ok(Vec::new()) };
        self.rows.remove(&time)?;
        let version = self.newest_until(time)?.map(|(_, version)| version);
        Ok(rows.into_iter().map(|row| WithVersion { row, version: version.clone() }).collect())
    }

    /// The newest version that is not newer than `time`, with its own.
    fn newest_until(&mut self, time: i64) -> Result<Option<(i64, V)>> {
        let mut newest = None;
        for entry in self.versions.iter()? {
            let (from, version) = entry?;
            if from <= time && newest.as_ref().is_none_or(|(other, _)| *other < from) {
                newest = Some((from, version));
            }
        }
        Ok(newest)
    }

    /// Drops the versions that hold no more at `time`.
    fn forget_before(&mut self, time: i64) -> Result<()> {
        let Some((holds_from, _)) = self.newest_until(time)? else { return Ok(()) };
        let times = self.versions.iter()?.map(|entry| entry.map(|(from, _)| from)).collect::<Result<Vec<_>>>()?;
        times.iter().filter(|from| **from < holds_from).try_for_each(|from| self.versions.remove(from))
    }
}
