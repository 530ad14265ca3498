//! Who changes a running job: one at a time, and nobody beside an upgrade.
//!
//! A rescale is short, and whoever comes behind one waits for it. An upgrade ends in a probation that may last for a day: what would have to wait for that is
//! refused at once, whichever phase it is in.

use super::refusal::Refusal;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use weir_wasm::printable;

/// A change of a running job that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeDocument {
    /// Its number in this process: no other change has it.
    #[serde(default)]
    pub id: u64,
    /// `rescale` or `upgrade`.
    pub what: String,
    /// Of this operator alone.
    pub operator: Option<String>,
    /// `preparing`, `changing over` or `probation`.
    pub phase: String,
    /// The checkpoint behind whose barrier it has happened.
    pub checkpoint: Option<u64>,
    /// How long its probation lasts, ms; of an upgrade that has come to it.
    #[serde(default)]
    pub probation_ms: Option<u64>,
    /// Since when it has been on probation, in ms since 1970; of an upgrade that has come to it.
    #[serde(default)]
    pub since_ms: Option<i64>,
}

/// What a change is called that nothing may wait for.
const UPGRADE: &str = "upgrade";
/// The phase of an upgrade in which a savepoint would hold what a rollback takes back.
const PROBATION: &str = "probation";

/// Bytes that are shown of a name that a request brings along.
pub(super) const NAME_SHOWN: usize = 256;

/// The change of one job that is under way, where there is one.
pub(super) struct Changes {
    now: watch::Sender<Option<ChangeDocument>>,
    begun: AtomicU64,
}

/// Held by whoever changes the job.
pub(super) struct Changing<'a>(&'a Changes);

impl Changes {
    /// None is under way.
    pub fn new() -> Self {
        Self { now: watch::channel(None).0, begun: AtomicU64::new(0) }
    }

    /// The one that is under way.
    pub fn now(&self) -> Option<ChangeDocument> {
        self.now.borrow().clone()
    }

    /// Begins a change: behind a rescale once that is over, and beside an upgrade not at all.
    pub async fn begin(&self, what: &str, operator: Option<&str>) -> Result<Changing<'_>, Refusal> {
        // Whoever looks at the job sees the name, which nobody has looked for in the job file yet.
        let operator = operator.map(|id| printable(id, NAME_SHOWN));
        let id = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let (phase, checkpoint, probation_ms, since_ms) = ("preparing".into(), None, None, None);
        let change = ChangeDocument { id, what: what.into(), operator, phase, checkpoint, probation_ms, since_ms };
        let mut seen = self.now.subscribe();
        loop {
            let begun = self.now.send_if_modified(|now| now.is_none() && now.replace(change.clone()).is_none());
            if begun {
                return Ok(Changing(self));
            }
            self.refuse_beside_upgrade()?;
            // The sender lives as long as `self`.
            _ = seen.changed().await;
        }
    }

    /// Refuses what may not happen beside an upgrade.
    pub fn refuse_beside_upgrade(&self) -> Result<(), Refusal> {
        self.refuse_beside(|change| change.what == UPGRADE)
    }

    /// Refuses what may not happen on probation.
    pub fn refuse_on_probation(&self) -> Result<(), Refusal> {
        self.refuse_beside(|change| change.phase == PROBATION)
    }

    fn refuse_beside(&self, is_in_the_way: impl Fn(&ChangeDocument) -> bool) -> Result<(), Refusal> {
        let Some(ChangeDocument { operator, phase, checkpoint, .. }) = self.now().filter(is_in_the_way) else { return Ok(()) };
        let of = operator.map(|id| format!(" of `{id}`")).unwrap_or_default();
        let message = match (phase.as_str(), checkpoint) {
            (PROBATION, Some(id)) => format!("an upgrade{of} is on probation, behind checkpoint {id}"),
            (phase, _) => format!("an upgrade{of} is under way ({phase})"),
        };
        Err(Refusal::new(
            StatusCode::CONFLICT,
            message,
            "wait until it is over: `weir status` shows its phase; a stop goes back to the barrier before it",
        ))
    }
}

impl Changing<'_> {
    /// The upgrade has happened behind a checkpoint's barrier, and proves itself for so long from `since_ms` on, in ms since 1970.
    pub fn on_probation(&self, checkpoint: u64, probation: Duration, since_ms: i64) {
        self.0.now.send_modify(|change| {
            if let Some(change) = change {
                (change.phase, change.checkpoint) = (PROBATION.into(), Some(checkpoint));
                (change.probation_ms, change.since_ms) = (u64::try_from(probation.as_millis()).ok(), Some(since_ms));
            }
        });
    }

    /// The change has come so far.
    pub fn phase(&self, phase: &str, checkpoint: Option<u64>) {
        self.0.now.send_modify(|change| {
            if let Some(change) = change {
                (change.phase, change.checkpoint) = (phase.into(), checkpoint);
            }
        });
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.now.send_replace(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn what_comes_behind_a_rescale_waits_for_it() {
        let changes = Changes::new();
        let rescale = changes.begin("rescale", None).now_or_never().expect("nobody else changes the job").expect("begun");
        let mut second = Box::pin(changes.begin("upgrade", Some("a")));
        assert!(second.as_mut().now_or_never().is_none());
        drop(rescale);
        assert!(second.now_or_never().is_some_and(|begun| begun.is_ok()));
        assert_eq!(changes.now(), None);
    }

    #[test]
    fn beside_an_upgrade_every_change_is_refused_at_once_and_a_savepoint_on_probation() {
        let changes = Changes::new();
        let refused = |what: &str| {
            changes.begin(what, None).now_or_never().expect("at once").err().map(|refusal| (refusal.status.as_u16(), refusal.message))
        };
        let upgrade = changes.begin("upgrade", Some("a")).now_or_never().expect("nobody else changes the job").expect("begun");
        assert_eq!(refused("rescale"), Some((409, "an upgrade of `a` is under way (preparing)".into())));
        assert!(changes.refuse_on_probation().is_ok());
        upgrade.on_probation(7, Duration::from_secs(30), 1_000);
        assert_eq!(changes.now().and_then(|change| change.probation_ms), Some(30_000));
        for what in ["rescale", "upgrade"] {
            assert_eq!(refused(what), Some((409, "an upgrade of `a` is on probation, behind checkpoint 7".into())));
        }
        assert!(changes.refuse_on_probation().is_err());
        drop(upgrade);
        assert!(changes.refuse_on_probation().is_ok());
        assert_eq!(refused("rescale"), None);
    }

    #[test]
    fn a_change_is_told_from_another_of_the_same_operator_and_its_name_is_fit_to_be_shown() {
        let changes = Changes::new();
        let begun = || {
            let change =
                changes.begin("upgrade", Some("a\n\u{1b}[2Jb")).now_or_never().expect("nobody else changes the job").expect("begun");
            let seen = changes.now().expect("it is under way");
            drop(change);
            (seen.id, seen.operator)
        };
        let name = Some("a\\n\\u{1b}[2Jb".to_owned());
        assert_eq!([begun(), begun()], [(1, name.clone()), (2, name)]);
    }

    #[test]
    fn what_waits_behind_a_rescale_is_refused_where_an_upgrade_comes_first() {
        let changes = Changes::new();
        let rescale = changes.begin("rescale", None).now_or_never().expect("nobody else changes the job").expect("begun");
        let mut waiting = Box::pin(changes.begin("rescale", None));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(rescale);
        let upgrade = changes.begin("upgrade", Some("a")).now_or_never().expect("nobody else changes the job").expect("begun");
        assert!(waiting.now_or_never().is_some_and(|outcome| outcome.is_err()));
        drop(upgrade);
    }
}
