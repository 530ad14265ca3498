//! The job file, saved while its job runs.
//!
//! Nothing of it is changed in the running job: whatever it says otherwise, the job stops behind a last checkpoint and goes on from there in a new process, which is
//! quick and the same for a limit, a config, a parallelism and a step more. Whether it can go on so is found out before it is stopped, by what a start would find
//! out: plugins open with their configs, and what the newest checkpoint keeps fits. Where it does not, the job goes on as it was.

use super::kept::going_on;
use super::saved::Dev;
use crate::failure::Failure;
use crate::job_file::JobFile;
use serde_json::json;
use std::collections::BTreeSet;
use toml::{Table, Value};

impl Dev<'_> {
    pub(super) fn look_at_file(&mut self) {
        // It may be about to be replaced.
        let Ok(text) = std::fs::read_to_string(&self.args.job) else { return };
        if text == self.text {
            return;
        }
        (self.text, self.pending, self.has_reset) = (text, None, false);
        if let Err(failure) = self.take_file() {
            self.is_refused = true;
            self.refused(&failure);
            if self.pending.is_some() {
                self.ask();
            }
        }
    }

    fn take_file(&mut self) -> Result<(), Failure> {
        let job = self.context.job(&self.args.job)?;
        let changes = changes(&self.job.source.text, &job.source.text);
        let saved = format!("{} was saved", self.args.job.display());
        if self.process.is_some() {
            if changes.is_empty() {
                self.job = job;
                let is_put_right = std::mem::take(&mut self.is_refused);
                self.say(&format!(
                    "{saved}: {}it says what runs already",
                    if is_put_right { "what was refused is undone, and " } else { "" }
                ));
                return Ok(());
            }
            self.is_same_job(&job)?;
            self.could_go_on(&job)?;
        } else if let Err(another) = self.is_same_job(&job) {
            self.say(&format!("{}; another job begins here", another.text()));
            self.running.clear();
            self.before.clear();
            self.held.clear();
        }
        (self.job, self.is_refused) = (job, false);
        self.say(&if changes.is_empty() { saved } else { format!("{saved}: {}", changes.join(", ")) });
        self.begin_again(&[]);
        Ok(())
    }

    /// Refuses what is another job: it would begin from its beginning.
    fn is_same_job(&self, job: &JobFile) -> Result<(), Failure> {
        let storage = |job: &JobFile| job.checkpoints.storage.value.clone();
        let (was, is) = match () {
            () if self.job.name != job.name => (format!("`name = \"{}\"`", self.job.name), format!("`name = \"{}\"`", job.name)),
            () if storage(&self.job) != storage(job) => {
                (format!("`storage = \"{}\"`", storage(&self.job)), format!("`storage = \"{}\"`", storage(job)))
            }
            () => return Ok(()),
        };
        let message = format!(
            "{is} is another job than {was}: by its name and its storage its state is found, and another begins from its beginning"
        );
        let hint = format!("undo that; or stop this with Ctrl-C, and `weir dev {}` begins the other", self.args.job.display());
        Err(Failure::Usage { message, hint })
    }

    /// Refuses what the running job could not go on with, as its next start would.
    fn could_go_on(&mut self, job: &JobFile) -> Result<(), Failure> {
        let stand_ins = self.stand_ins();
        let mut found = going_on(self.context, job, &stand_ins)?;
        if !found.is_kept
            && let Some(client) = self.client()
        {
            // One would be taken when the job stops.
            _ = client.post("/v1/checkpoints", &json!({}));
            found = going_on(self.context, job, &stand_ins)?;
        }
        let Some(refused) = found.refused else { return Ok(()) };
        self.lost = found.in_the_way;
        self.pending = (!self.lost.is_empty()).then(|| job.clone());
        let refused = match found.is_to_be_undone {
            true => refused.with_hint(format!(
                "undo that; or stop this with Ctrl-C, and `weir dev {} --fresh` starts over, without what is kept",
                self.args.job.display()
            )),
            false => refused,
        };
        Err(Failure::of_job(job, refused))
    }
}

/// The settings that differ between two texts of a job file, as `operator.count.config`; a step that is in one of them alone is one of them.
fn changes(was: &str, is: &str) -> Vec<String> {
    let table = |text: &str| text.parse::<Table>().unwrap_or_default();
    let mut found = Vec::new();
    differing(&table(was), &table(is), "", &mut found);
    found
}

fn differing(was: &Table, is: &Table, within: &str, found: &mut Vec<String>) {
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    for key in keys {
        let place = if within.is_empty() { key.clone() } else { format!("{within}.{key}") };
        match (was.get(key), is.get(key)) {
            (Some(Value::Table(was)), Some(Value::Table(is))) => differing(was, is, &place, found),
            (was, is) if was != is => found.push(place),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_two_job_files_is_named_by_its_setting_and_how_it_is_written_does_not() {
        let job = "name = \"j\"\nparallelism = 1\n[operator.count]\nconfig = { a = 1, b = [1] }\n[sink.out]\nconnector = \"stdout\"\n";
        assert_eq!(changes(job, &job.replace("parallelism = 1", "parallelism  =  0x1 # one")), Vec::<String>::new());
        let other = job.replace("= 1\n", "= 2\n").replace("b = [1]", "b = [2]").replace("[sink.out]", "[sink.err]");
        assert_eq!(changes(job, &other), ["operator.count.config.b", "parallelism", "sink.err", "sink.out"]);
    }
}
