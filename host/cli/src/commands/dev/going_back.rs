//! Plugins that were refused or have failed: the ones before them go on, also where the job is begun again while the plugin's file is still the bad one.
//!
//! What ran before is kept in the job's storage, as every component that a checkpoint was taken with.

use super::kept::lost_states;
use super::saved::Dev;
use crate::api::absolute_storage;
use crate::registry::Registry;
use std::collections::BTreeMap;
use weir_wasm::PluginInfo;

/// An operator that does not run what its plugin's file has.
pub struct Held {
    /// What it runs.
    runs: PluginInfo,
    /// The digest of what it does not run. Whatever else comes there is tried.
    refused: String,
}

impl Held {
    /// What is run is kept under this.
    fn sha256(&self) -> &str {
        self.runs.digest.trim_start_matches("sha256:")
    }
}

impl Dev<'_> {
    /// Holds a plugin back: until another is there, `old` runs in its place.
    pub(super) fn hold(&mut self, operator: &str, old: Option<PluginInfo>, new: &PluginInfo) {
        if let Some(runs) = old {
            self.held.insert(operator.to_owned(), Held { runs, refused: new.digest.clone() });
        }
    }

    /// What the operator is begun with whose plugin's file is `file`: where that is held back, the command line gets what it runs instead.
    pub(super) fn held_back(&mut self, operator: &str, file: PluginInfo, command: &mut Vec<String>) -> PluginInfo {
        match self.held.get(operator) {
            Some(held) if held.refused == file.digest => {
                command.extend(["--component".to_owned(), format!("{operator}={}", held.sha256())]);
                held.runs.clone()
            }
            Some(_) => {
                self.held.remove(operator);
                file
            }
            None => file,
        }
    }

    /// The digests of what runs in place of files that are held back.
    pub(super) fn stand_ins(&self) -> BTreeMap<String, String> {
        self.held.iter().map(|(id, held)| (id.clone(), held.sha256().to_owned())).collect()
    }

    /// The job has failed in the process `pid`. Where a plugin that had taken over is at fault, the one before it goes on. False: it does not.
    pub(super) fn goes_back(&mut self, pid: u32) -> bool {
        let Some(operator) = self.at_fault(pid) else { return false };
        let now = self.begun.get(&operator).or_else(|| self.running.get(&operator)).cloned();
        let Some((before, now)) = self.before.remove(&operator).zip(now) else { return false };
        let lost = lost_states(&operator, &now, &before);
        if !lost.is_empty() {
            self.say(&format!("{operator}: the plugin before it does not go on with what is kept of {}", lost.join(", ")));
            return false;
        }
        self.say(&format!("{operator}: {} {} has failed, and the one before it goes on from the last checkpoint", now.name, now.version));
        self.hold(&operator, Some(before), &now);
        if let Err(failure) = self.begin(&[]) {
            self.refused(&failure);
        }
        true
    }

    fn at_fault(&self, pid: u32) -> Option<String> {
        let storage = absolute_storage(&self.job.checkpoints.storage.value, &self.job.folder, &self.job.name);
        Registry::of_user().ok()?.fault(&storage, pid)
    }
}
