//! Who runs a job: a run claims it in the registry of this user's processes, takes it over where it is told to, and notes its own end.
//!
//! The registry is a courtesy to the user. What keeps two runs apart is the fence of the job's log.

use crate::failure::Failure;
use crate::registry::{Claim, Registered, Registration, Registry};
use crate::terminal::Screen;
use weir_engine::checkpoint::{LogEntry, Trigger};
use weir_engine::job::{JobOutcome, JobReport};
use weir_engine::{EngineError, ErrorKind};

/// A run's place in the registry.
pub(super) struct Claimed {
    /// `None` where the registry cannot be written: a job runs as well where nobody finds it.
    pub registration: Option<Registration>,
    /// Whom the job is taken over from, for the user.
    pub taken_from: Option<String>,
}

/// A job as the registry tells it from others.
pub(super) struct Claimant<'a> {
    /// Its name.
    pub job: &'a str,
    /// The absolute path of its job file, or what stands for one.
    pub job_file: &'a str,
    /// The absolute URL of the folder of its objects.
    pub storage: &'a str,
}

impl Claimant<'_> {
    /// Registers the job, unless another process of this user's has it and it is not to be taken over.
    pub fn claim(&self, takeover: bool, screen: &Screen) -> Result<Claimed, Failure> {
        let claimed = Registry::of_user().and_then(|registry| registry.claim(self.job, self.job_file, self.storage, takeover));
        let Claim { others, registration } = match claimed {
            Ok(claim) => claim,
            Err(error) => {
                screen.notice(&format!("the job is not registered: {error}"));
                return Ok(Claimed { registration: None, taken_from: None });
            }
        };
        if registration.is_none() {
            return Err(runs_already(self.job, self.storage, &pids(&others)).into());
        }
        let taken_from = (!others.is_empty()).then(|| taking_over(&pids(&others)));
        Ok(Claimed { registration, taken_from })
    }
}

fn pids(processes: &[Registered]) -> Vec<u32> {
    processes.iter().map(|process| process.pid).collect()
}

/// Why a job is not begun that these processes run.
fn runs_already(job: &str, storage: &str, pids: &[u32]) -> EngineError {
    let (has, is_fenced) = if pids.len() == 1 { ("has", "is fenced and stops") } else { ("have", "are fenced and stop") };
    let processes = processes_text(pids);
    let message = format!("job {job} runs already: {processes} of yours {has} it, with the same storage {storage}");
    let hint = format!("`weir stop {job}` stops it after a last checkpoint; `--takeover` runs it here, and {processes} {is_fenced}");
    EngineError::new(ErrorKind::FixInput, message).with_hint(hint)
}

fn taking_over(pids: &[u32]) -> String {
    let is_fenced = if pids.len() == 1 { "is fenced and stops" } else { "are fenced and stop" };
    format!("taking over from {}, which {is_fenced}", processes_text(pids))
}

fn processes_text(pids: &[u32]) -> String {
    let numbers: Vec<String> = pids.iter().map(u32::to_string).collect();
    format!("{} {}", if pids.len() == 1 { "process" } else { "processes" }, numbers.join(", "))
}

/// Notes that this run's last attempt is over, for whoever runs the job next, and which of its `operators` it has failed for. Where that cannot be written, the next run says that it takes over.
pub(super) fn note_end<'a>(storage: &str, report: &JobReport, operators: impl Iterator<Item = &'a str>) {
    let fault = match &report.outcome {
        JobOutcome::Failed(error) if error.is_guest_fault() => faulty(&error.to_string(), operators),
        _ => None,
    };
    if let (Some(attempt), Ok(registry)) = (report.attempt, Registry::of_user()) {
        _ = registry.note_end(storage, attempt.0, fault);
    }
}

/// The operator whose plugin an error is about. Whatever else the text quotes stands behind it.
fn faulty<'a>(error: &str, operators: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let found = operators.filter_map(|id| Some((error.find(&format!("operator \"{id}\" subtask"))?, id)));
    found.min().map(|(_, id)| id)
}

/// What the user has to know where neither the log nor a note of this user's (`ended`: the last attempt that is known to be over) shows that the run before has
/// ended: nobody here knows of it, and there is no lease that could be waited for.
pub(super) fn may_run_elsewhere(entries: &[LogEntry], ended: Option<u64>) -> Option<String> {
    let attempt = match entries.last()? {
        LogEntry::Finished { .. } => return None,
        LogEntry::Completed { trigger, .. } if [Trigger::Stop, Trigger::Final].iter().any(|last| last.name() == trigger) => return None,
        entry @ (LogEntry::Attempt { .. }
        | LogEntry::Completed { .. }
        | LogEntry::Failed { .. }
        | LogEntry::Override { .. }
        | LogEntry::Outcome { .. }) => entry.attempt(),
    };
    if ended == Some(attempt.0) {
        return None;
    }
    Some(format!(
        "taking over from attempt {attempt}, whose end is not in the log: if its process still runs elsewhere, it is fenced and stops"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::element::AttemptId;

    #[test]
    fn one_process_has_a_job_and_several_have_it() {
        let one = runs_already("j", "file:/w/j", &[7]);
        assert_eq!(one.to_string(), "job j runs already: process 7 of yours has it, with the same storage file:/w/j");
        assert!(one.hint().is_some_and(|hint| hint.ends_with("and process 7 is fenced and stops")), "{:?}", one.hint());
        let two = runs_already("j", "file:/w/j", &[7, 8]);
        assert_eq!(two.to_string(), "job j runs already: processes 7, 8 of yours have it, with the same storage file:/w/j");
        assert!(two.hint().is_some_and(|hint| hint.ends_with("and processes 7, 8 are fenced and stop")), "{:?}", two.hint());
        assert_eq!(taking_over(&[7]), "taking over from process 7, which is fenced and stops");
        assert_eq!(taking_over(&[7, 8]), "taking over from processes 7, 8, which are fenced and stop");
    }

    #[test]
    fn the_operator_that_a_job_has_failed_for_is_the_one_that_the_error_begins_with() {
        let error = "given up (the same guest fault from the same checkpoint twice): operator \"b\" subtask 0: the plugin failed: operator \"a\" subtask 1";
        assert_eq!(faulty(error, ["a", "b", "c"].into_iter()), Some("b"));
        assert_eq!(faulty("operator \"ab\" subtask 0: it trapped", ["a", "b"].into_iter()), None);
    }

    #[test]
    fn a_run_that_is_known_to_have_ended_runs_nowhere_else() {
        let begun = LogEntry::begun(AttemptId(3), "n", AttemptId(1));
        let said = |ended| may_run_elsewhere(std::slice::from_ref(&begun), ended);
        assert!(said(None).is_some_and(|line| line.starts_with("taking over from attempt 3, whose end is not in the log")));
        assert!(said(Some(2)).is_some(), "another has begun an attempt since");
        assert_eq!(said(Some(3)), None, "it was cancelled here, or has failed");
        assert_eq!(may_run_elsewhere(&[], None), None);
    }
}
