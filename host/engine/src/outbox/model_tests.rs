//! Publishers against a plain model: a target with fences, processes that are killed and ones that wake late, answers that are lost, rollbacks, new
//! lineages, older ones that are gone on with. Whatever happens, what is published is what became final, once and in order.

use super::OutboxLedger;
use super::publisher::{Publisher, PublisherAction, PublisherEvent};
use crate::checkpoint::{Marker, MarkerKey, OutboxSnapshot, StagedObject, StagedOutput, StateHandle};
use crate::element::CheckpointId;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};

const SINK: &str = "out";

/// A target as it is meant to be. A record is the checkpoint that it belongs to and its number in that.
#[derive(Default)]
struct Target {
    epoch: u64,
    markers: BTreeMap<MarkerKey, Marker>,
    records: Vec<(u64, u64)>,
}

/// A process: its publisher, and the epoch of its takeover.
#[derive(Clone)]
struct Process {
    publisher: Publisher,
    epoch: u64,
}

struct World {
    rng: Rng,
    target: Target,
    process: Process,
    /// Processes that have not noticed that they are no more.
    zombies: Vec<Process>,
    /// What the newest complete checkpoint holds, and the newest final one; and the newest final one of each lineage.
    complete: Option<OutboxSnapshot>,
    finals: Option<OutboxSnapshot>,
    of_lineage: BTreeMap<u64, OutboxSnapshot>,
    next_checkpoint: u64,
    attempt: u64,
    lineage: u64,
    on_trial: bool,
    /// Records of final checkpoints, in order; and of those that are on trial.
    expected: Vec<(u64, u64)>,
    provisional: Vec<(u64, u64)>,
}

fn key(lineage: u64) -> MarkerKey {
    MarkerKey { log: "log".into(), lineage: lineage.to_string(), sink: SINK.into() }
}

fn nonce(attempt: u64) -> String {
    format!("a{attempt}")
}

fn output(checkpoint_id: u64, attempt: u64, records: u64) -> StagedOutput {
    let handle = StateHandle { object: format!("{checkpoint_id}"), bytes: records, checksum: 0 };
    let (checkpoint_id, attempt_nonce) = (CheckpointId(checkpoint_id), nonce(attempt));
    StagedOutput { checkpoint_id, attempt_nonce, objects: vec![StagedObject { handle, records }] }
}

impl Target {
    /// What comes of an action of a process, where it arrives. `None`: it is kept out.
    fn request(&mut self, process: &mut Process, action: &PublisherAction, rng: &mut Rng) -> Option<PublisherEvent> {
        if *action == PublisherAction::TakeOver {
            self.epoch += 1;
            process.epoch = self.epoch;
            return Some(PublisherEvent::TakenOver);
        }
        if process.epoch != self.epoch {
            return None;
        }
        match action {
            PublisherAction::ReadMarker(key) => Some(PublisherEvent::MarkerRead(self.markers.get(key).cloned())),
            PublisherAction::SetMarker { key, marker, against } => {
                assert_eq!(*against, None, "no user has decided anything");
                self.markers.insert(key.clone(), marker.clone());
                Some(PublisherEvent::MarkerSet)
            }
            PublisherAction::Publish(publication) => {
                // One chunk: up to somewhere in one of the outputs, and all of those in front of it.
                let last = rng.usize(..publication.outputs.len());
                let mut marker = Marker::default();
                for (place, output) in publication.outputs[..=last].iter().enumerate() {
                    let from = if place == 0 { publication.from } else { 0 };
                    let done = if place < last { output.records() } else { from + 1 + rng.u64(..output.records() - from) };
                    self.records.extend((from..done).map(|record| (output.checkpoint_id.0, record)));
                    marker = output.marker(done);
                }
                self.markers.insert(publication.key.clone(), marker.clone());
                Some(PublisherEvent::Published(marker))
            }
            PublisherAction::TakeOver | PublisherAction::Wait | PublisherAction::Refuse(_) => {
                unreachable!("nothing is asked of the target")
            }
        }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let process = Process { publisher: publisher(1, 1, [None, None]), epoch: 0 };
        Self {
            rng: Rng::with_seed(seed),
            target: Target::default(),
            process,
            zombies: Vec::new(),
            complete: None,
            finals: None,
            of_lineage: BTreeMap::new(),
            next_checkpoint: 1,
            attempt: 1,
            lineage: 1,
            on_trial: false,
            expected: Vec::new(),
            provisional: Vec::new(),
        }
    }

    fn step(&mut self) {
        match self.rng.u32(..20) {
            0..3 => self.complete(),
            3 => self.on_trial = true,
            4 => self.accept(),
            5 => self.restart(),
            6 if self.rng.bool() => self.begin_lineage(),
            6 => self.go_on_with_a_lineage(),
            7..11 if !self.zombies.is_empty() => {
                let place = self.rng.usize(..self.zombies.len());
                let mut zombie = self.zombies[place].clone();
                self.act(&mut zombie, true);
                self.zombies[place] = zombie;
            }
            _ => {
                let mut process = self.process.clone();
                self.act(&mut process, false);
                self.process = process;
            }
        }
    }

    /// A process does what its publisher says. Anything may be refused, or its answer lost.
    fn act(&mut self, process: &mut Process, is_zombie: bool) {
        let action = process.publisher.next();
        match action {
            PublisherAction::Wait => return,
            PublisherAction::Refuse(refusal) => {
                assert!(is_zombie, "the newest process is refused: {refusal:?}");
                return;
            }
            // It sees in the log that it is not the newest. But it may have looked just before it was replaced.
            PublisherAction::TakeOver if is_zombie && self.rng.u32(..10) > 0 => return,
            _ => {}
        }
        if self.rng.u32(..6) == 0 {
            return process.publisher.on(PublisherEvent::Lost);
        }
        let event = self.target.request(process, &action, &mut self.rng);
        let heard = event.filter(|_| self.rng.u32(..6) > 0).unwrap_or(PublisherEvent::Lost);
        process.publisher.on(heard);
    }

    fn complete(&mut self) {
        if !self.process.publisher.has_marker() {
            return;
        }
        let (id, records) = (self.next_checkpoint, self.rng.u64(..4));
        self.next_checkpoint += 1 + self.rng.u64(..2);
        let output = (records > 0).then(|| output(id, self.attempt, records));
        self.complete = Some(self.process.publisher.ledger().snapshot(output.as_ref()));
        if let Some(output) = output {
            self.process.publisher.ledger_mut().on_complete(output);
        }
        self.provisional.extend((0..records).map(|record| (id, record)));
        if !self.on_trial {
            self.accept();
        }
    }

    /// What is complete is final.
    fn accept(&mut self) {
        self.on_trial = false;
        self.finals = self.complete.clone();
        if let Some(finals) = self.finals.clone().filter(|finals| finals.lineages.last().is_some_and(|last| last.key == key(self.lineage)))
        {
            self.of_lineage.insert(self.lineage, finals);
        }
        self.expected.append(&mut self.provisional);
        self.process.publisher.ledger_mut().on_final(CheckpointId(self.next_checkpoint));
    }

    /// Another process goes on from the newest final checkpoint; what was on trial is rolled back.
    fn restart(&mut self) {
        self.start(self.lineage);
    }

    fn begin_lineage(&mut self) {
        self.start(self.attempt + 1);
    }

    /// Any that there has been, while another may have output that waits.
    fn go_on_with_a_lineage(&mut self) {
        let lineages: Vec<u64> = self.of_lineage.keys().copied().collect();
        if !lineages.is_empty() {
            let place = self.rng.usize(..lineages.len());
            self.start(lineages[place]);
        }
    }

    fn start(&mut self, lineage: u64) {
        self.attempt += 1;
        (self.lineage, self.on_trial) = (lineage, false);
        self.provisional.clear();
        self.complete = self.finals.clone();
        let own = self.of_lineage.get(&lineage).cloned().and_then(|own| own.of_lineage(&lineage.to_string()));
        let publisher = publisher(lineage, self.attempt, [own, self.finals.clone()]);
        self.replace(publisher);
    }

    fn replace(&mut self, publisher: Publisher) {
        let old = std::mem::replace(&mut self.process, Process { publisher, epoch: 0 });
        self.zombies.push(old);
        if self.zombies.len() > 3 {
            self.zombies.remove(0);
        }
    }
}

/// A publisher of an attempt that knows what these checkpoints hold: the newest of its lineage, and the newest of all.
fn publisher(lineage: u64, attempt: u64, known: [Option<OutboxSnapshot>; 2]) -> Publisher {
    let ledger = OutboxLedger::new(SINK, serde_json::json!("target"), key(lineage));
    let ledger = known.into_iter().flatten().fold(ledger, OutboxLedger::with);
    Publisher::new(ledger, (1..=attempt).map(nonce).collect(), None)
}

#[test]
fn what_is_published_is_what_became_final_once_and_in_order() {
    let (mut restarts, mut published) = (0, 0);
    for seed in 0..1_000 {
        let mut world = World::new(seed);
        for _ in 0..300 {
            world.step();
            let so_far = &world.target.records;
            assert!(world.expected.starts_with(so_far), "seed {seed}: {so_far:?} is published of {:?}", world.expected);
        }
        world.zombies.clear();
        for _ in 0..2_000 {
            let mut process = world.process.clone();
            world.act(&mut process, false);
            world.process = process;
        }
        assert_eq!(world.process.publisher.next(), PublisherAction::Wait, "seed {seed}");
        assert_eq!(world.target.records, world.expected, "seed {seed}");
        let all: BTreeSet<_> = world.process.publisher.ledger().unpublished();
        assert!(all.iter().all(|id| world.provisional.iter().any(|(provisional, _)| *provisional == id.0)), "seed {seed}: {all:?} wait");
        restarts += world.attempt;
        published += world.target.records.len();
    }
    assert!(restarts > 20_000 && published > 10_000, "{restarts} attempts, {published} records");
}
