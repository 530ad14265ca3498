//! The rules of `wit/operator.wit` for the records that a call returns.

use super::check::{Checked, ascending_within, first_over, parallel};
use super::{Called, Given, Output, OwnKeys, Passes};
use crate::bindings::weir::operator::types as wit;
use crate::columns::{column, integers};
use crate::fault::GuestFault;
use weir_engine::Column;
use weir_engine::element::Headers;

impl Called<'_> {
    /// Refuses more records than a call may return, before any of them is looked at. Each one that passes counts.
    pub(super) fn check_record_count(&self, outputs: &[wit::Output]) -> Result<(), GuestFault> {
        let passing = |passes: &[u8]| passes.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
        let records: u64 = outputs.iter().map(|output| (output.cause.len() / 4) as u64 + passing(&output.passes)).sum();
        let most = self.limits.output_records;
        if records > most {
            let what = format!("{records} records from one call, and {most} are the most");
            return Err(GuestFault::OutputLimit { what, setting: "output-records" });
        }
        Ok(())
    }

    pub(super) fn output(&self, raw: wit::Output) -> Checked<Output> {
        let cause: Vec<u32> = integers(&raw.cause).map_err(|what| format!("cause: {what}"))?;
        if let Some(at) = first_over(&cause, self.count) {
            return Err(format!("cause names {} {at}, but the batch has {}", self.given.one(), self.count));
        }
        let passes = self.passes(&raw.passes, &cause)?;
        let records = cause.len();
        let values = column(raw.values).map_err(|what| format!("values: {what}"))?;
        parallel("values", values.len(), records)?;
        let valueless = absent("valueless", &raw.valueless, "values", &values)?;
        let keys = column(raw.keys).map_err(|what| format!("keys: {what}"))?;
        let keyless = absent("keyless", &raw.keyless, "keys", &keys)?;
        let headers = raw.headers.map(|raw| headers(raw, records)).transpose()?;
        let timestamps: Vec<i64> = integers(&raw.timestamps).map_err(|what| format!("timestamps: {what}"))?;
        if !keys.is_empty() {
            parallel("keys", keys.len(), records)?;
        }
        if !timestamps.is_empty() {
            parallel("timestamps", timestamps.len(), records)?;
        }
        let keys = (!keys.is_empty()).then_some(OwnKeys { keys, keyless });
        let timestamps = (!timestamps.is_empty()).then_some(timestamps);
        Ok(Output { output: raw.output, passes, cause, values, valueless, keys, headers, timestamps })
    }

    /// Which records pass. The common cases, none and all, are told by the bytes.
    fn passes(&self, bits: &[u8], cause: &[u32]) -> Checked<Passes> {
        if bits.is_empty() {
            return Ok(Passes::None);
        }
        match self.given {
            Given::Records { .. } => {}
            Given::Timers | Given::Windows => {
                return Err(format!("passes: only records of a batch pass, and this call was given {}", self.given.many()));
            }
        }
        let (wanted, behind) = (self.count.div_ceil(8), self.count % 8);
        if bits.len() != wanted {
            return Err(format!("passes has {} bytes where there have to be {wanted} for {} records", bits.len(), self.count));
        }
        if behind > 0 && bits[wanted - 1] >> behind != 0 {
            return Err(format!("passes names a record behind the last of the {} there are", self.count));
        }
        if let Some(at) = cause.windows(2).position(|two| two[1] < two[0]) {
            return Err(format!("cause decreases at item {}, where records pass", at + 1));
        }
        Ok(passing(bits, self.count))
    }
}

/// The records of a bitmap that fits.
fn passing(bits: &[u8], records: usize) -> Passes {
    let count: usize = bits.iter().map(|byte| byte.count_ones() as usize).sum();
    if count == 0 {
        return Passes::None;
    }
    if count == records {
        return Passes::All;
    }
    let mut passing = Vec::with_capacity(count);
    for (byte, mut left) in (0..).step_by(8).zip(bits.iter().copied()) {
        while left != 0 {
            passing.push(byte + left.trailing_zeros());
            left &= left - 1;
        }
    }
    Passes::Some(passing)
}

/// Headers with an end for each record, or none at all.
fn headers(raw: wit::HeadersResult, records: usize) -> Checked<Headers> {
    let failed = |what: String| format!("headers: {what}");
    let part = |name: &str, raw| column(raw).map_err(|what| format!("headers: {name}: {what}"));
    let ends: Vec<u32> = integers(&raw.ends).map_err(|what| format!("headers: ends: {what}"))?;
    let (names, values) = (part("names", raw.names)?, part("values", raw.values)?);
    if ends.is_empty() && names.is_empty() && values.is_empty() {
        return Ok(Headers::of_records(records));
    }
    parallel("headers", ends.len(), records)?;
    Headers::from_parts(ends, names, values).map_err(failed)
}

/// Records whose item in a column is absent: they ascend, and the item is empty.
fn absent(what: &str, raw: &[u8], name: &str, items: &Column) -> Checked<Vec<u32>> {
    let records: Vec<u32> = integers(raw).map_err(|error| format!("{what}: {error}"))?;
    ascending_within(what, &records, name, items.len())?;
    match records.iter().find(|&&record| !items.get(record as usize).is_empty()) {
        Some(record) => Err(format!("record {record} is {what}, but its item in {name} is not empty")),
        None => Ok(records),
    }
}
