//! A plugin that was built takes over in the running job.
//!
//! Its probation ends at its first checkpoint, or at one that is asked for after a second: output is held back no longer. What fails later goes back all the
//! same (`going_back`), from the last checkpoint.

use super::kept::{going_on, is_newer_of_some, lost_states};
use super::saved::Dev;
use crate::failure::Failure;
use serde_json::Value;
use std::path::Path;
use weir_wasm::PluginInfo;

/// What a new plugin has to prove itself at most, ms.
const PROBATION_MS: u64 = 1_000;

impl Dev<'_> {
    /// Lets the plugin that was built take over.
    pub(super) fn swap(&mut self, operator: &str) {
        if let Err(failure) = self.try_swap(operator) {
            self.refused(&failure);
        }
    }

    fn try_swap(&mut self, operator: &str) -> Result<(), Failure> {
        let Some(path) = self.built(&self.job)?.remove(operator) else { return Ok(()) };
        let new = self.info(operator, &path)?;
        let old = self.begun.get(operator).or_else(|| self.running.get(operator));
        if old.is_some_and(|old| old.digest == new.digest) {
            self.held.remove(operator);
            self.say(&format!("{operator}: the plugin is the same"));
            return Ok(());
        }
        if self.client().is_none() {
            self.waiting.insert(operator.to_owned());
            return Ok(());
        }
        self.note_running();
        let old = self.running.get(operator).cloned();
        self.lost = old.as_ref().map(|old| lost_states(operator, old, &new)).unwrap_or_default();
        // Until it has taken over, whatever begins the job again leaves it out.
        self.hold(operator, old.clone(), &new);
        let migrates = old.as_ref().is_some_and(|old| is_newer_of_some(old, &new));
        if self.lost.is_empty() && migrates {
            self.try_migrations(operator)?;
        }
        if !self.lost.is_empty() {
            self.ask();
            return Ok(());
        }
        let answer = self.upgrade(operator, &path)?;
        if answer["outcome"] != "accepted" {
            let reason = answer["reason"].as_str().unwrap_or_default();
            self.say(&format!("{operator}: the new plugin failed, and the one before it goes on\n  {reason}"));
            return if migrates { self.ask_where_it_does_not_migrate(operator) } else { Ok(()) };
        }
        let (pause, checkpoint) = (answer["pause_ms"].as_f64().unwrap_or_default(), &answer["checkpoint"]);
        self.say(&format!("{operator}: {} {} has taken over behind checkpoint {checkpoint}, in {pause:.1} ms", new.name, new.version));
        self.taken_over(operator, old, new);
        Ok(())
    }

    /// Finds out whether the new plugin brings what the newest checkpoint keeps to its versions, and says why where it does not.
    fn try_migrations(&mut self, operator: &str) -> Result<(), Failure> {
        let mut stand_ins = self.stand_ins();
        stand_ins.remove(operator);
        let found = going_on(self.context, &self.job, &stand_ins)?;
        self.lost = found.in_the_way.into_iter().filter(|name| name.split('.').next() == Some(operator)).collect();
        if let Some(refused) = found.refused.filter(|_| !self.lost.is_empty()) {
            self.say(&refused.to_string());
        }
        Ok(())
    }

    /// Some of what it could not bring over may have come behind the checkpoint on which that was tried.
    fn ask_where_it_does_not_migrate(&mut self, operator: &str) -> Result<(), Failure> {
        self.try_migrations(operator)?;
        if !self.lost.is_empty() {
            self.ask();
        }
        Ok(())
    }

    /// Asks the running job for it, and says once what that may do to output.
    fn upgrade(&mut self, operator: &str, path: &Path) -> Result<Value, Failure> {
        let query = [
            ("operator", operator.to_owned()),
            ("name", path.display().to_string()),
            ("probation_ms", PROBATION_MS.to_string()),
            ("until_checkpoint", "true".to_owned()),
            ("allow_repeat", "true".to_owned()),
        ];
        let Some(client) = self.client() else { return Ok(Value::Null) };
        let answer = client.post_bytes("/v1/upgrade", &query, &weir_wasm::read_plugin(path)?)?;
        let repeat: Vec<&str> = answer["may_repeat"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !repeat.is_empty() && !std::mem::replace(&mut self.has_said_repeats, true) {
            let sinks = repeat.join(", ");
            self.say(&format!("{sinks} cannot take back what it has written: where a plugin fails and the one before it goes on, lines since the last checkpoint come again"));
        }
        Ok(answer)
    }

    fn taken_over(&mut self, operator: &str, old: Option<PluginInfo>, new: PluginInfo) {
        self.held.remove(operator);
        if let Some(old) = old {
            self.before.insert(operator.to_owned(), old);
        }
        self.running.insert(operator.to_owned(), new);
    }
}
