//! The sandbox tests' guest: does on request what a guest must not do.
//!
//! A record whose value is one of the words of [`faults`] makes the call do that: trap, spin, allocate, flood, fail. One of the form
//! `malformed:<what>` (see [`malformed::KINDS`]) spoils the effects of its batch just so. Anything else is counted under its key and echoed
//! as `value#count` (without a key: as it is), so that a test sees whether the neighbours of a fault are unharmed. The config
//! asks for a fault in `open` or at every record; cargo's features for one in `describe`.

pub mod faults;
pub mod guest;
pub mod malformed;

use weir_guest::prelude::*;

/// The job file's `config`: a word of [`faults`] for each place.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Done while opening.
    pub open: Option<String>,
    /// Done at every record, in place of what the record asks for.
    pub record: Option<String>,
    /// A trap that waits.
    pub trap: Option<TrapAt>,
}

/// When to trap.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TrapAt {
    /// In the call of this number of an instance, from 1 on.
    Call(u64),
    /// In the first call of an instance, where a key has state already: as after a restore.
    Restored,
    /// At a record of this key.
    Key(String),
}

/// States of each keyed kind: what malformed effects are about, beside a timer.
#[derive(States)]
pub struct Seen {
    count: ValueState<u64, Raw>,
    values: ListState<Vec<u8>, Raw>,
    by_value: MapState<Vec<u8>, u64, Raw>,
}

/// The numbers of the states.
const COUNT: u32 = 0;
const VALUES: u32 = 1;
const BY_VALUE: u32 = 2;

/// A timer that never fires.
const NEVER: Timer = Timer::processing("never");

/// The operator behind the faults.
pub struct Faulty {
    record: Option<String>,
    trap: Option<TrapAt>,
}

impl Operator for Faulty {
    const NAME: &'static str = "faulty";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const OUTPUTS: &'static [Output] = &[Output::MAIN, Output::new("side")];
    const TIMERS: &'static [Timer] = &[NEVER];
    type Config = Config;
    type States = Seen;

    fn open(config: Config, _setup: &Setup) -> Result<Self> {
        if let Some(fault) = &config.open {
            faults::commit(fault.as_bytes(), &mut Vec::new())?;
        }
        Ok(Self { record: config.record, trap: config.trap })
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        self.trap_where_it_waits(&record, ctx);
        let mut spilled = Vec::new();
        let configured = self.record.as_deref().unwrap_or_default();
        if faults::commit(configured.as_bytes(), &mut spilled)? || faults::commit(record.value(), &mut spilled)? {
            ctx.emit(spilled);
            return Ok(());
        }
        if let Some(records) = faults::records_to_emit(record.value()) {
            (0..records).for_each(|_| ctx.emit("x"));
            return Ok(());
        }
        if Self::keep_a_flood(record.value(), ctx)? {
            return Ok(());
        }
        let value = record.value().to_vec();
        let Ok(count) = ctx.count.update(|count| {
            *count += 1;
            *count
        }) else {
            ctx.emit(value);
            return Ok(());
        };
        if value.starts_with(malformed::PREFIX) {
            // So that there is an update of every kind to spoil.
            ctx.values.append(&value)?;
            ctx.by_value.put(&value, &count)?;
            ctx.timers.set(NEVER, i64::MAX)?;
        }
        ctx.emit([&value, format!("#{count}").as_bytes()].concat());
        Ok(())
    }
}

impl Faulty {
    /// Keeps as much as [`faults::to_keep`] asks for.
    fn keep_a_flood(request: &[u8], ctx: &mut Context<'_, Self>) -> Result<bool> {
        let Some((what, count)) = faults::to_keep(request) else { return Ok(false) };
        for number in 0..count {
            match what {
                "timers" => ctx.timers.set(NEVER, i64::MAX - number)?,
                "items" => ctx.values.append(&number.to_le_bytes().to_vec())?,
                _ => ctx.by_value.put(&number.to_le_bytes().to_vec(), &1)?,
            }
        }
        Ok(true)
    }

    fn trap_where_it_waits(&self, record: &Record<'_>, ctx: &mut Context<'_, Self>) {
        let calls = guest::calls();
        let traps = match &self.trap {
            None => false,
            Some(TrapAt::Call(number)) => calls == *number,
            Some(TrapAt::Restored) => calls == 1 && ctx.count.get().is_ok_and(|count| count.is_some()),
            Some(TrapAt::Key(key)) => record.key() == Some(key.as_bytes()),
        };
        assert!(!traps, "trapped as configured");
    }
}

#[cfg(test)]
mod tests;
