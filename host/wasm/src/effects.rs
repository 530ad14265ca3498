//! What a call came to, checked: whatever is in here can be applied without another look.
//!
//! The guest's `effects` are hostile until they have been through [`Effects::check`]; a fault found there means that none of them is applied.

mod check;
#[cfg(test)]
mod tests;

use crate::bindings::weir::operator::types as wit;
use crate::fault::GuestFault;
use crate::limits::Limits;
use std::ops::Range;
use weir_engine::operator::OperatorDescriptor;
use weir_engine::{Column, RecordBatch};

/// Checked effects of one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    pub(crate) outputs: Vec<Output>,
    pub(crate) values: Vec<ValueUpdate>,
    pub(crate) lists: Vec<ListUpdate>,
    pub(crate) maps: Vec<MapUpdate>,
    pub(crate) broadcasts: Vec<BroadcastUpdate>,
    pub(crate) metrics: Vec<(String, i64)>,
}

/// Records for one output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) output: u32,
    /// For each record the record of the batch that it comes from.
    pub(crate) cause: Vec<u32>,
    pub(crate) values: Column,
    /// Keys and keyless records; `None`: the causes'.
    pub(crate) keys: Option<(Column, Vec<u32>)>,
    /// `None`: the causes'.
    pub(crate) timestamps: Option<Vec<i64>>,
}

/// Items of keys, by the keys' indexes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyedColumn {
    pub(crate) keys: Vec<u32>,
    pub(crate) items: Column,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ValueUpdate {
    pub(crate) state: usize,
    pub(crate) cleared: Vec<u32>,
    pub(crate) set: KeyedColumn,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListUpdate {
    pub(crate) state: usize,
    pub(crate) cleared: Vec<u32>,
    pub(crate) append: KeyedColumn,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MapUpdate {
    pub(crate) state: usize,
    pub(crate) cleared: Vec<u32>,
    pub(crate) removed: KeyedColumn,
    pub(crate) put: KeyedColumn,
    pub(crate) values: Column,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BroadcastUpdate {
    pub(crate) state: usize,
    pub(crate) cleared: bool,
    pub(crate) removed: Column,
    pub(crate) put: Column,
    pub(crate) values: Column,
}

/// What the call was about: the bounds of every index in its effects.
#[derive(Clone, Copy)]
pub(crate) struct Called<'a> {
    pub(crate) descriptor: &'a OperatorDescriptor,
    pub(crate) limits: &'a Limits,
    /// Records of the batch.
    pub(crate) records: usize,
    /// Distinct keys of the batch; `None`: its input is not keyed.
    pub(crate) keys: Option<usize>,
    /// The batch came over a `broadcast` edge: it may change broadcast state.
    pub(crate) broadcast: bool,
}

impl Effects {
    /// Takes a guest's effects over, or says what is wrong with them.
    pub(crate) fn check(raw: wit::Effects, called: &Called<'_>) -> Result<Self, GuestFault> {
        called.check_record_count(&raw.outputs)?;
        called.effects(raw).map_err(|what| GuestFault::Malformed { what })
    }

    /// Refuses outputs whose records inherit more bytes of keys than a call may return: a long key that very many records inherit costs the guest
    /// nothing. `range`: the records of `batch` that the call was given.
    pub(crate) fn within(self, batch: &RecordBatch, range: &Range<usize>, limits: &Limits) -> Result<Self, GuestFault> {
        let heirs = || self.outputs.iter().filter(|output| output.keys.is_none());
        // No key is longer than all of them together: mostly that is enough to know.
        let most = heirs().map(|output| output.cause.len() as u64).sum::<u64>().saturating_mul(batch.keys().data().len() as u64);
        if most <= limits.output_bytes {
            return Ok(self);
        }
        let key_bytes = |&record: &u32| batch.keys().get(range.start + record as usize).len() as u64;
        let inherited: u64 = heirs().flat_map(|output| &output.cause).map(key_bytes).sum();
        if inherited <= limits.output_bytes {
            return Ok(self);
        }
        let what = format!("records that inherit {inherited} bytes of keys from one call, and {} are the most", limits.output_bytes);
        Err(GuestFault::OutputLimit { what })
    }
}
