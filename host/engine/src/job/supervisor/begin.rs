//! Begins an attempt: what it goes on from, its place in the log, and what it is made of.
//!
//! What takes long comes before the log is read, as far as it can: a job that runs elsewhere goes on meanwhile, and takes the place behind what was read.

use super::Supervisor;
use super::lost_entries::BesideTheLog;
use super::outboxes::StagedBefore;
use super::resume::Restored;
use crate::checkpoint::{Append, JobLog, LogEntry, paths};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::StartMode;
use crate::job::attempt::change::TriedUpgrade;
use crate::job::attempt::context::AttemptContext;
use crate::job::control::StopKind;
use crate::job::history::start::Start;
use crate::job::history::{History, fenced};
use crate::job::options::JobOutcome;
use crate::sink::Committable;
use crate::storage::probe_create_if_absent;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What comes of beginning.
pub(super) enum Begun {
    Attempt(Box<AttemptContext>),
    /// There is nothing to run.
    Over(JobOutcome),
}

/// What a beginning knows by now, however often the log is read again.
#[derive(Default)]
struct Known {
    /// What lies beside the log; `None`: nobody has looked.
    beside: Option<BesideTheLog>,
    /// The store has been tried.
    probed: bool,
    /// The sinks' targets have been looked at.
    looked: bool,
    /// The number of entries in front of the place that another process took.
    taken: Option<usize>,
}

/// What is read back of what an attempt goes on from.
struct ReadBack {
    restored: Restored,
    left_behind: Vec<Committable>,
    staged: StagedBefore,
}

impl Supervisor {
    /// Appends an attempt to the log.
    pub(super) async fn begin(&mut self, log: &mut JobLog) -> Result<Begun, EngineError> {
        self.go_back(log).await?;
        let mut known = Known::default();
        loop {
            if let Some(begun) = self.try_to_begin(log, &mut known).await? {
                return Ok(begun);
            }
        }
    }

    /// As [`Supervisor::begin`]; `None`: the log has to be read once more.
    async fn try_to_begin(&mut self, log: &mut JobLog, known: &mut Known) -> Result<Option<Begun>, EngineError> {
        log.read_on().await?;
        self.refuse_no_entry(log, known)?;
        let history = History::of(log.entries());
        if !self.nonces.is_empty() && !self.newest_is_ours(&history) {
            return Err(fenced(&self.graph.name));
        }
        let start = history.start(&self.mode)?;
        self.look_at(&history, &self.mode.clone());
        if start.finished {
            self.name_what_is_left_undone(&start).await;
            self.report.resumed_from = start.restored.map(|restored| restored.checkpoint_id);
            return Ok(Some(Begun::Over(JobOutcome::AlreadyFinished)));
        }
        if let Some(outcome) = self.stopped_before_it_began() {
            return Ok(Some(Begun::Over(outcome)));
        }
        let Some(beside) = self.find_out(known, &start, &history).await? else { return Ok(None) };
        let newest_beside = beside.newest_attempt();
        let read_back = match self.read_back(&start, &history).await {
            Ok(read_back) => read_back,
            Err(error) if error.kind() == ErrorKind::Corrupt && log.has_grown().await? => return Ok(None),
            Err(error) => return Err(error),
        };
        if self.begins_from_nothing(&read_back.restored, &history) && !std::mem::replace(&mut known.looked, true) {
            self.look_at_targets().await?;
        }
        let last = history.last_attempt.max(newest_beside);
        let attempt = AttemptId(last.map_or(1, |last| last.0 + 1));
        if let Some(outcome) = self.stopped_before_it_began() {
            return Ok(Some(Begun::Over(outcome)));
        }
        let (entry, nonce) = self.attempt_entry(attempt, &start, &history, log);
        match log.append(entry).await? {
            Append::Taken => {
                known.taken = Some(log.entries().len());
                Ok(None)
            }
            Append::Done => Ok(Some(Begun::Attempt(Box::new(self.begun(log, &history, start, read_back, attempt, nonce))))),
        }
    }

    /// Whoever took the place of an attempt has left an entry there, or there is something else in it, which is an error.
    fn refuse_no_entry(&self, log: &JobLog, known: &Known) -> Result<(), EngineError> {
        if known.taken != Some(log.entries().len()) {
            return Ok(());
        }
        let next = paths::log_entry(log.entries().len() as u64 + 1);
        let message = format!("append to the log in {}: something that is no entry is at {next}", self.options.store.location());
        Err(EngineError::new(ErrorKind::Corrupt, message).with_hint("move it away"))
    }

    /// Finds out, once for a process, what lies beside the log and whether the store can be used; `None`: the log has to be read behind that.
    async fn find_out<'a>(&self, known: &'a mut Known, start: &Start, history: &History) -> Result<Option<&'a BesideTheLog>, EngineError> {
        if known.beside.is_none() && self.nonces.is_empty() {
            known.beside = Some(self.look_beside(start, history).await?);
            return Ok(None);
        }
        let beside = known.beside.get_or_insert_default();
        if let Some(output) = beside.unaccounted(start, history) {
            return Err(self.lost_entries(output, beside, start, history));
        }
        if self.sent.is_empty() && !std::mem::replace(&mut known.probed, true) {
            // Before the first thing is written, and once. A job that has finished writes nothing.
            let nonce = self.draw_nonce();
            probe_create_if_absent(&*self.options.store, &*self.runtime.clock, &paths::probe(&nonce)).await?;
            return Ok(None);
        }
        Ok(Some(beside))
    }

    async fn read_back(&self, start: &Start, history: &History) -> Result<ReadBack, EngineError> {
        let restored = self.load(start, history).await?;
        let left_behind = self.left_behind(start, history).await;
        let staged = self.staged_before(start, &restored, history).await?;
        Ok(ReadBack { restored, left_behind, staged })
    }

    /// The attempt that the log now has.
    fn begun(
        &mut self,
        log: &JobLog,
        history: &History,
        start: Start,
        read_back: ReadBack,
        attempt: AttemptId,
        nonce: String,
    ) -> AttemptContext {
        let ReadBack { restored, left_behind, staged } = read_back;
        let said_when_restored = self.announce(&start, &restored, history);
        let lineage = start.lineage.unwrap_or(attempt);
        let outboxes = self.outboxes(&staged, lineage, log.nonce().unwrap_or_default(), &History::of(log.entries()));
        let context = self.context(history, start, restored, attempt, nonce);
        let (log, outboxes) = ((!outboxes.is_empty()).then(|| log.clone()), Arc::new(outboxes));
        self.status.set_outboxes(outboxes.clone());
        AttemptContext { left_behind, outboxes, log, kept: staged.kept, said_when_restored, ..context }
    }

    /// How a run ends that is told to stop before its first attempt: nothing has been written, and whoever runs the job elsewhere goes on.
    fn stopped_before_it_began(&self) -> Option<JobOutcome> {
        match self.inbox.stop_requested().filter(|_| self.nonces.is_empty())? {
            StopKind::Cancel => Some(JobOutcome::Cancelled),
            StopKind::Suspend | StopKind::SuspendForSavepoint => Some(JobOutcome::Stopped),
            StopKind::Drain => None,
        }
    }

    /// The entry of an attempt that goes on from `start`, and the attempt's nonce.
    fn attempt_entry(&mut self, attempt: AttemptId, start: &Start, history: &History, log: &mut JobLog) -> (LogEntry, String) {
        let nonce = self.draw_nonce();
        log.begin(|| self.draw_nonce());
        let of_lineage = start.lineage.and_then(|id| history.lineage(id));
        let entry = LogEntry::Attempt {
            attempt,
            nonce: nonce.clone(),
            lineage: start.lineage.unwrap_or(attempt),
            lineage_nonce: Some(of_lineage.map_or_else(|| self.draw_nonce(), |lineage| lineage.nonce.clone())),
            root: start.root.clone(),
            restored: start.restored.as_ref().map(|restored| restored.checkpoint_id),
            probation: self.tried.is_some(),
            pinned: self.options.pinned.clone(),
            // Once for a process: what is changed while it runs comes later.
            overruled: if self.nonces.is_empty() { self.options.overruled.clone() } else { Vec::new() },
            started_ms: self.runtime.clock.wall_ms(),
        };
        self.sent.push(nonce.clone());
        (entry, nonce)
    }

    /// A name that nobody else has.
    fn draw_nonce(&self) -> String {
        format!("{:016x}", (self.runtime.seed)())
    }

    fn context(&mut self, history: &History, start: Start, restored: Restored, attempt: AttemptId, nonce: String) -> AttemptContext {
        self.nonces.push(nonce.clone());
        self.mode = StartMode::Resume;
        self.status.set_layout(&self.graph);
        if self.report.attempt.replace(attempt).is_none() {
            self.report.resumed_from = start.restored.as_ref().map(|restored| restored.checkpoint_id);
            self.report.from_savepoint = start.savepoint().map(str::to_owned);
        }
        AttemptContext {
            graph: self.graph.clone(),
            store: self.options.store.clone(),
            runtime: self.runtime.clone(),
            committers: self.committers.clone(),
            backends: self.options.backends.clone(),
            status: self.status.clone(),
            bases: Arc::default(),
            notice: self.options.notice.clone(),
            attempt,
            nonce,
            restored: start.restored,
            source: restored.source,
            metadata: restored.metadata,
            plan: restored.plan,
            in_flight: Mutex::new(restored.in_flight),
            config: self.options.checkpoints,
            retain: self.options.retain,
            on_trial: self.tried.as_ref().map(TriedUpgrade::vertex),
            next_checkpoint: CheckpointId(history.last_checkpoint.map_or(1, |last| last.0 + 1)),
            older_nonces: history.nonces.clone(),
            left_behind: Vec::new(),
            outboxes: Arc::default(),
            log: None,
            kept: BTreeMap::new(),
            said_when_restored: Vec::new(),
        }
    }
}
