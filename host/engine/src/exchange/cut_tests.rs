//! Random sequences against a plain model of what a checkpoint's cut is.
//!
//! Whatever the alignment, the aborts and the moments at which the task waits for room: each channel's records are delivered once and in
//! order; barriers leave in the order of their ids; and for every checkpoint that is taken, what was delivered before its barrier and what was captured
//! for it are together, channel by channel, the records that were sent before its barrier (at-least-once: these at least).

use super::tests::{Bench, LIMIT, batch};
use super::*;
use crate::runtime::Simulator;
use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

/// A random run of one gate.
struct Run {
    dice: Simulator,
    bench: Bench,
    at_least_once: bool,
    alignment: char,
    /// By channel: the records sent so far, and whether its end has been.
    sent: Vec<(u64, bool)>,
    /// By channel, checkpoint by checkpoint: how many records had been sent before its barrier.
    cuts: Vec<BTreeMap<u64, u64>>,
    delivered: Vec<u64>,
    /// By checkpoint: what had been delivered when its barrier left, and what is captured behind that.
    taken: BTreeMap<u64, Vec<u64>>,
    complete: Vec<u64>,
    aborted: Vec<u64>,
    trace: String,
}

impl Run {
    fn new(seed: u64) -> Self {
        let dice = Simulator::new(seed);
        let channels = 1 + dice.draw(4) as usize;
        let alignment = ['|', '?', '!', 'a'][dice.draw(4) as usize];
        Self {
            // A few records' worth, now and then.
            bench: Bench::new(channels, alignment == 'a', if dice.draw(3) == 0 { 20 + dice.draw(200) } else { u64::MAX }),
            at_least_once: alignment == 'a',
            // However a barrier comes, nothing is overtaken there.
            alignment: if alignment == 'a' { ['|', '?', '!'][dice.draw(3) as usize] } else { alignment },
            sent: vec![(0, false); channels],
            cuts: vec![BTreeMap::new(); channels],
            delivered: vec![0; channels],
            taken: BTreeMap::new(),
            complete: Vec::new(),
            aborted: Vec::new(),
            trace: String::new(),
            dice,
        }
    }

    /// Channel `c` sends its next element: a record, its next barrier, now and then its end.
    fn send(&mut self) {
        let channel = self.dice.draw(self.sent.len() as u64) as usize;
        let (records, ended) = self.sent[channel];
        if ended {
            return;
        }
        let word = match self.dice.draw(20) {
            0 => {
                self.sent[channel].1 = true;
                ".".to_owned()
            }
            1..=5 => {
                // A sender that has heard of an abort leaves that barrier out.
                let mut next = self.cuts[channel].last_key_value().map_or(1, |(id, _)| id + 1);
                while self.aborted.contains(&next) && self.dice.draw(2) == 0 {
                    next += 1;
                }
                self.cuts[channel].insert(next, records);
                format!("{}{next}", self.alignment)
            }
            _ => {
                self.sent[channel].0 += 1;
                format!("r{channel}-{records}")
            }
        };
        self.trace += &format!(" {}:{word}", (b'A' + channel as u8) as char);
        self.bench.send(channel, &word);
    }

    fn on_event(&mut self, event: GateEvent) -> Result<(), String> {
        match event {
            // A task that works a batch off in parts puts the rest back.
            GateEvent::Batch { from, batch } if self.dice.draw(5) == 0 => self.bench.gate.put_back(from, batch),
            GateEvent::Batch { from, batch } => {
                let expected = format!("r{}-{}", from.edge, self.delivered[from.edge]);
                self.delivered[from.edge] += 1;
                let found = String::from_utf8_lossy(batch.values().get(0)).into_owned();
                if found != expected {
                    return Err(format!("{found} is delivered, and {expected} is next"));
                }
            }
            GateEvent::Barrier(barrier) => {
                let id = barrier.checkpoint_id.0;
                if self.taken.last_key_value().is_some_and(|(last, _)| *last >= id) {
                    return Err(format!("barrier {id} leaves behind a newer one"));
                }
                if self.aborted.contains(&id) {
                    return Err(format!("checkpoint {id} is taken behind its abort"));
                }
                if self.at_least_once && barrier.alignment != BarrierAlignment::Aligned {
                    return Err(format!("the barrier of checkpoint {id} leaves as one that overtakes"));
                }
                self.taken.insert(id, self.delivered.clone());
                if barrier.alignment != BarrierAlignment::Unaligned {
                    self.complete.push(id);
                }
            }
            GateEvent::InFlight(checkpoint_id, records) => {
                let reached = self.taken.get_mut(&checkpoint_id.0).ok_or("records of a checkpoint whose barrier has not left")?;
                for channel in records.channels() {
                    for batch in &channel.batches {
                        let expected = format!("r{}-{}", channel.from.edge, reached[channel.from.edge]);
                        if *batch.values().get(0) != *expected.as_bytes() {
                            return Err(format!("checkpoint {checkpoint_id} has captured something in place of {expected}"));
                        }
                        reached[channel.from.edge] += 1;
                    }
                }
                self.complete.push(checkpoint_id.0);
            }
            GateEvent::Declined(checkpoint_id, _) => self.aborted.push(checkpoint_id.0),
            GateEvent::Progress(_) | GateEvent::End => {}
        }
        Ok(())
    }

    fn take(&mut self, appetite: Appetite, most: u64) -> Result<(), String> {
        for _ in 0..most {
            match self.bench.gate.poll_next(appetite, &mut Context::from_waker(Waker::noop())) {
                Poll::Ready(GateEvent::End) | Poll::Pending => return Ok(()),
                Poll::Ready(event) => self.on_event(event)?,
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        match self.dice.draw(12) {
            0 => {
                self.trace += " time";
                self.bench.clock.pass(Duration::from_millis(150));
                self.bench.gate.on_time();
            }
            1 if self.dice.draw(4) == 0 => {
                let id = 1 + self.dice.draw(6);
                self.trace += &format!(" x{id}");
                self.aborted.push(id);
                self.bench.gate.abort(CheckpointId(id));
            }
            1 if self.dice.draw(2) == 0 => {
                let id = 1 + self.dice.draw(6);
                let word = if self.alignment == '?' { format!("?{id}") } else { id.to_string() };
                self.trace += &format!(" ^{word}");
                self.bench.announce(&word);
            }
            1 => {
                let id = 1 + self.dice.draw(6);
                self.trace += &format!(" o{id}");
                self.bench.gate.overtake(CheckpointId(id));
            }
            2 | 3 => self.take(Appetite::Barriers, 3)?,
            4 | 5 => self.take(Appetite::Everything, 1 + self.dice.draw(4))?,
            _ => self.send(),
        }
        Ok(())
    }

    /// All that was sent has been delivered, and every complete checkpoint is the cut that its barriers made.
    fn check(&self) -> Result<(), String> {
        for &id in self.complete.iter().filter(|id| !self.aborted.contains(id)) {
            for (channel, (reached, (sent, _))) in self.taken[&id].iter().zip(&self.sent).enumerate() {
                // A channel without that barrier has ended before it.
                let cut = self.cuts[channel].get(&id).unwrap_or(sent);
                if reached < cut || (reached > cut && !self.at_least_once) {
                    return Err(format!("checkpoint {id} reaches {reached} records of channel {channel}, its barrier came behind {cut}"));
                }
            }
        }
        Ok(())
    }
}

fn run(seed: u64) -> Result<usize, String> {
    let mut run = Run::new(seed);
    let outcome = (0..120).try_for_each(|_| run.step());
    // Channels end, so that nothing stays blocked for ever.
    let ended = outcome.and_then(|()| {
        for channel in 0..run.sent.len() {
            if !std::mem::replace(&mut run.sent[channel].1, true) {
                run.bench.send(channel, ".");
            }
        }
        run.take(Appetite::Everything, u64::MAX)?;
        let all: Vec<u64> = run.sent.iter().map(|(records, _)| *records).collect();
        if run.delivered != all { Err(format!("{:?} records were delivered of {all:?}", run.delivered)) } else { run.check() }
    });
    ended.map(|()| run.complete.len()).map_err(|what| format!("{what}:{}", run.trace))
}

#[test]
fn random_sequences_agree_with_a_plain_model_of_the_cut() {
    let mut complete = 0;
    for seed in 0..6_000 {
        complete += run(seed).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
    assert!(complete > 6_000, "only {complete} checkpoints were complete");
}

#[test]
fn a_batch_that_is_put_back_is_in_flight_however_a_barrier_comes_behind_it() {
    // One record of a checkpoint may be in flight, and not two.
    let mut bench = Bench::new(2, false, batch("r0").byte_len() as u64 * 3 / 2);
    let next = |bench: &mut Bench| match bench.gate.poll_next(Appetite::Everything, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => Some(event),
        Poll::Pending => None,
    };
    bench.step("A: ?1");
    bench.step("t");
    bench.step("B: r0");
    bench.step("A: ?2");
    assert_eq!(bench.out, ["!", "r0"], "checkpoint 1 captures what comes on B");
    bench.send(1, "r1");
    let mut declined = false;
    for time in 0..4 {
        match next(&mut bench) {
            Some(GateEvent::Batch { from, batch }) => bench.gate.put_back(from, batch),
            Some(GateEvent::Declined(CheckpointId(1), _)) => declined = true,
            Some(GateEvent::Barrier(Barrier { checkpoint_id: CheckpointId(2), .. })) => break,
            other => panic!("{other:?}"),
        }
        if time == 0 {
            bench.clock.pass(LIMIT);
            bench.gate.on_time();
        }
    }
    assert!(declined);
    bench.out.clear();
    bench.step("B: ?2");
    assert_eq!(bench.out, ["[2 B:r1]", "r1"]);
}
