//! The gate's promises, one line each: what goes in by channel, what comes out.

use super::*;
use crate::element::{BatchBuilder, CheckpointId, StreamElement};
use crate::runtime::Simulator;
use std::task::Waker;

/// Plays `input`, `A: r1 | r2  B: r3 |`: letters are channels, `|` and `|2` are the barriers of checkpoints 1 and 2, `.` is the end of the
/// input, `w5` a watermark. A channel's part stands in its queue before the gate is asked; channels take turns. `x1` in front of everything is
/// the coordinator's abort of checkpoint 1, which comes when nothing more is delivered.
#[track_caller]
fn check(input: &str, expect: &str) {
    let (abort, input) = match input.strip_prefix('x') {
        Some(rest) => rest.split_once(' ').map(|(id, rest)| (Some(CheckpointId(id.parse().unwrap())), rest)).unwrap(),
        None => (None, input),
    };
    let words: Vec<&str> = input.split_whitespace().collect();
    let channels = words.iter().filter(|word| word.ends_with(':')).count();
    let inputs = (0..channels).map(|channel| InputChannel { input: channel as u32, keyed: false }).collect();
    let (mut gate, senders) = InputGate::new(inputs, ChannelBounds { batches: 100, bytes: 1 << 20 });
    let mut channel = 0;
    for word in &words {
        match word.strip_suffix(':') {
            Some(letter) => channel = (letter.as_bytes()[0] - b'A') as usize,
            None => send(&senders[channel], word),
        }
    }
    let mut out = drain(&mut gate);
    if let Some(checkpoint_id) = abort {
        gate.abort(checkpoint_id);
        out.push("x".into());
        out.extend(drain(&mut gate));
    }
    assert_eq!(out.join(" "), expect, "{input}");
}

fn send(sender: &ChannelSender, word: &str) {
    let checkpoint = |rest: &str| CheckpointId(if rest.is_empty() { 1 } else { rest.parse().unwrap() });
    let marker = match word.split_at(1) {
        ("|", rest) => StreamElement::Barrier(Barrier { checkpoint_id: checkpoint(rest) }),
        (".", _) => StreamElement::EndOfInput,
        ("w", time) => StreamElement::Watermark(Watermark(time.parse().unwrap())),
        _ => {
            let mut builder = BatchBuilder::new();
            builder.push(None, word.as_bytes(), None);
            let sent = sender.poll_send(&mut Context::from_waker(Waker::noop()), &Arc::new(builder.finish()));
            assert_eq!(sent, Poll::Ready(Ok(())));
            return;
        }
    };
    sender.send_marker(marker).unwrap();
}

fn drain(gate: &mut InputGate) -> Vec<String> {
    let mut out = Vec::new();
    while let Poll::Ready(event) = gate.poll_next(&mut Context::from_waker(Waker::noop())) {
        out.push(match event {
            GateEvent::Batch { batch, .. } => String::from_utf8_lossy(batch.values().get(0)).into_owned(),
            GateEvent::Watermark(watermark) => format!("w{}", watermark.0),
            GateEvent::Barrier(Barrier { checkpoint_id: CheckpointId(1) }) => "|".into(),
            GateEvent::Barrier(Barrier { checkpoint_id }) => format!("|{checkpoint_id}"),
            GateEvent::Declined(checkpoint_id) => format!("declined{checkpoint_id}"),
            GateEvent::End => {
                out.push(".".into());
                return out;
            }
        });
    }
    out
}

#[test]
fn one_channel_is_aligned_at_once() {
    check("A: r1 | r2 |2 r3", "r1 | r2 |2 r3");
}

#[test]
fn no_record_behind_a_barrier_is_delivered_before_the_last_barrier() {
    check("A: r1 | r2   B: r3 |", "r1 r3 | r2");
    check("A: | r1 r2   B: r3 r4 |", "r3 r4 | r1 r2");
    check("A: | a   B: | b   C: c1 c2 |", "c1 c2 | a b");
    check("A: | r1   B: r2", "r2");
}

#[test]
fn second_barrier_from_a_blocked_channel_waits_for_the_first() {
    check("A: | a1 |2 a2   B: b1 | b2 |2 b3", "b1 | a1 b2 |2 a2 b3");
}

#[test]
fn the_end_of_a_channel_counts_as_its_barrier() {
    check("A: r1 .   B: r2 | r3", "r1 r2 | r3");
    check("A: | r1   B: r2 .", "r2 | r1");
    check("A: | r1 .   B: | r2 .", "| r1 r2 .");
    check("A: .   B: .", ".");
    check("A: .   B: | r1 |2 r2 .", "| r1 |2 r2 .");
}

#[test]
fn a_newer_barrier_on_an_open_channel_gives_the_older_alignment_up() {
    check("A: | a |2 a2   B: |2 b", "declined1 a |2 b a2");
    check("A: |2 a   B: | b |2 c", "b |2 a c");
}

#[test]
fn an_aborted_checkpoint_lets_its_channels_go_on() {
    check("x1 A: | a   B: b", "b x a");
    check("x1 A: | a |2 c   B: b |2 d", "b declined1 a |2 d c x");
    check("x2 A: | a   B: b", "b x");
}

#[test]
fn a_late_barrier_of_an_aborted_checkpoint_is_ignored() {
    let inputs = vec![InputChannel { input: 0, keyed: false }; 2];
    let (mut gate, senders) = InputGate::new(inputs, ChannelBounds::default());
    gate.abort(CheckpointId(1));
    send(&senders[0], "|");
    send(&senders[0], "r1");
    assert_eq!(drain(&mut gate), ["r1"]);
}

#[test]
fn watermarks_pass_as_the_smallest_of_all_channels() {
    check("A: w5 r1   B: w3 w9", "w3 r1 w5");
    check("A: w5 .   B: w3 w9", "w3 w9");
}

/// A plain model: the k-th barrier is delivered when every channel has brought k barriers or its end, and between two barriers the records
/// delivered are those that stand between them in their channels.
#[test]
fn random_sequences_agree_with_a_plain_model() {
    for seed in 0..2_000 {
        let dice = Simulator::new(seed);
        let channels = 1 + dice.draw(4) as usize;
        let barriers = dice.draw(4);
        let mut expected = vec![Vec::new(); barriers as usize + 1];
        let mut text = String::new();
        for channel in 0..channels {
            text += &format!("{}: ", (b'A' + channel as u8) as char);
            let ends_after = dice.draw(2 * barriers + 2);
            for section in 0..=barriers {
                for record in 0..dice.draw(4) {
                    let name = format!("r{channel}{section}{record}");
                    text += &format!("{name} ");
                    expected[section as usize].push(name);
                }
                if section >= ends_after {
                    text += ". ";
                    break;
                }
                text += &if section < barriers { format!("|{} ", section + 1) } else { ". ".into() };
            }
        }
        let (mut gate, senders) =
            InputGate::new(vec![InputChannel { input: 0, keyed: false }; channels], ChannelBounds { batches: 100, bytes: 1 << 20 });
        let mut channel = 0;
        for word in text.split_whitespace() {
            match word.strip_suffix(':') {
                Some(letter) => channel = (letter.as_bytes()[0] - b'A') as usize,
                None => send(&senders[channel], word),
            }
        }
        let mut sections = vec![Vec::new()];
        for word in drain(&mut gate) {
            match word.as_bytes()[0] {
                b'|' => sections.push(Vec::new()),
                b'.' => {}
                _ => sections.last_mut().unwrap().push(word),
            }
        }
        expected.iter_mut().chain(&mut sections).for_each(|section| section.sort());
        expected.truncate(sections.len().max(expected.iter().rposition(|section| !section.is_empty()).map_or(0, |last| last + 1)));
        assert_eq!(sections, expected, "seed {seed}: {text}");
    }
}
