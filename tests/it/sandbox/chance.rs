//! Answers that chance has written, or made of right ones, to everything that a guest is called for, by guests that declare all that there is.
//!
//! `WEIR_ANSWERS=1000000` tries that many.

use super::answers::{LISTS, List};
use super::mirrors::{ASKED, Asked, Mirrors};
use std::collections::BTreeSet;
use weir_tests::sandbox::{ANSWER, Answer};

/// Words as they are in answers: small numbers, addresses, lengths, and any.
fn word(rng: &mut fastrand::Rng) -> u32 {
    match rng.u8(..8) {
        0..=2 => 0,
        3 => 1,
        4 => rng.u32(..12),
        5 => ANSWER + 4 * rng.u32(..512),
        6 => rng.u32(..512),
        _ => rng.u32(..),
    }
}

/// Effects with a few elements in each list, or a column, whose words are by chance.
fn written(asked: Asked, rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut answer = Answer::nothing();
    if !asked.has_effects() || rng.u8(..16) == 0 {
        answer = answer.word(0, &[rng.u32(..2), word(rng), word(rng), word(rng), word(rng)]);
    }
    for (number, List { size, .. }) in LISTS.iter().enumerate().filter(|_| asked.has_effects()) {
        let count = if rng.u8(..3) == 0 { rng.u32(1..4) } else { 0 };
        let words: Vec<u32> = (0..count as usize * size / 4).map(|_| word(rng)).collect();
        if count > 0 {
            answer = answer.list(number as u32, &words, count);
        }
    }
    let mut bytes = answer.bytes().to_vec();
    // Something to point at.
    bytes.extend((0..rng.usize(..256)).map(|_| rng.u8(..)));
    bytes
}

/// A right answer with a few words changed, so that what stands behind right addresses is reached; now and then it is right for another call.
fn changed(asked: Asked, rng: &mut fastrand::Rng) -> Vec<u8> {
    let asked = if rng.u8(..8) == 0 { ASKED[rng.usize(..ASKED.len())] } else { asked };
    let mut bytes = asked.right().bytes().to_vec();
    for _ in 0..rng.usize(1..3) {
        let at = 4 * rng.usize(..bytes.len() / 4);
        let place: &mut [u8; 4] = bytes[at..].first_chunk_mut().expect("a word");
        let before = u32::from_le_bytes(*place);
        let after = match rng.u8(..4) {
            0 => word(rng),
            1 => before.wrapping_add(1),
            2 => before.wrapping_sub(1),
            _ => before ^ 1 << rng.u8(..32),
        };
        *place = after.to_le_bytes();
    }
    bytes
}

/// What was tried of one kind of call.
#[derive(Default)]
struct Tried {
    taken: u64,
    refused: u64,
    /// Refusals, each number in them as `#`.
    refusals: BTreeSet<String>,
}

fn without_numbers(text: &str) -> String {
    let mut told = String::new();
    for letter in text.chars() {
        match letter.is_ascii_digit() {
            true if told.ends_with('#') => {}
            true => told.push('#'),
            false => told.push(letter),
        }
    }
    told
}

/// What the checks have to be seen to say, of each: chance reaches what only such a call can answer.
fn reached(asked: Asked) -> &'static [&'static str] {
    match asked {
        Asked::Process => &["passes ", "state #: set", "state #: append", "state #: put", "touched state #", "timer #: "],
        Asked::Broadcast => &["passes ", "state #: removed", "state #: put", "state #: values"],
        Asked::Timers => &["names timer #", "state #: put", "timer #: ", "touched state #"],
        Asked::Gather => &["state #: set", "state #: append", "state #: put", "emits nothing"],
        Asked::Windows => &["names firing #", "values", "changes nothing"],
        Asked::Merge | Asked::Migrate => &["the last end is #", "values where there have to be #"],
    }
}

#[test]
fn right_answers_are_taken() {
    let mut mirrors = Mirrors::open();
    for asked in ASKED {
        mirrors.ask(asked, asked.right().bytes()).unwrap_or_else(|error| panic!("{asked:?}: {error}"));
    }
}

/// Every way in has the same checks behind it, with the bounds of its own call.
#[test]
fn what_is_wrong_is_refused_whoever_answers_it() {
    let mut mirrors = Mirrors::open();
    let output = |words: &[u32]| [words, &[0; 30][words.len()..]].concat();
    for asked in ASKED.into_iter().filter(|asked| asked.has_effects()) {
        let mut far = Answer::nothing();
        let cause = far.integers_at(&[1]);
        let one = match asked {
            Asked::Timers => "timer",
            Asked::Windows => "firing",
            _ => "record",
        };
        let wrong = [
            (Answer::nothing().list(0, &output(&[2]), 1), "output 2 is named, but 2 are declared".to_owned()),
            (far.list(0, &output(&[0, 0, 0, cause[0], cause[1]]), 1), format!("output 0: cause names {one} 1, but the batch has 1")),
            (Answer::nothing().list(5, &[64, 0, 0], 1), "touched state 64 is named, but ".to_owned()),
        ];
        for (answer, expect) in wrong {
            let error = mirrors.ask(asked, answer.bytes()).expect_err(&expect);
            let text = error.to_string();
            assert!(text.starts_with(asked.place()) && text.contains(&expect) && error.is_guest_fault(), "{asked:?}: {text}");
        }
    }
}

#[test]
fn answers_by_chance_are_taken_or_a_fault() {
    let count = std::env::var("WEIR_ANSWERS").ok().and_then(|count| count.parse().ok()).unwrap_or(7_000_u64);
    let mut mirrors = Mirrors::open();
    let mut tried = ASKED.map(|_| Tried::default());
    for seed in 0..count {
        let number = seed as usize % ASKED.len();
        let (asked, tried) = (ASKED[number], &mut tried[number]);
        let mut rng = fastrand::Rng::with_seed(seed);
        let answer = if rng.bool() { written(asked, &mut rng) } else { changed(asked, &mut rng) };
        match mirrors.ask(asked, &answer) {
            Ok(()) => tried.taken += 1,
            Err(error) => {
                let text = error.to_string();
                assert!(error.is_guest_fault() && text.starts_with(asked.place()), "seed {seed}, {asked:?}: {error:?}");
                assert!(!text.contains("panick"), "seed {seed}, {asked:?}: {text}");
                tried.refusals.insert(without_numbers(&text));
                tried.refused += 1;
            }
        }
        mirrors.take();
    }
    for (asked, Tried { taken, refused, refusals }) in ASKED.into_iter().zip(&tried) {
        println!("{asked:?}: {taken} taken, {refused} refused in {} ways", refusals.len());
        mirrors.ask(asked, asked.right().bytes()).unwrap_or_else(|error| panic!("{asked:?}, nothing is left behind: {error}"));
        assert!(
            *taken > count / 200 && *refused > count / 40,
            "{asked:?}: {taken} were taken, {refused} refused: chance does not reach far"
        );
        for part in reached(asked) {
            assert!(refusals.iter().any(|refusal| refusal.contains(part)), "{asked:?}: nothing like `{part}` in {refusals:#?}");
        }
    }
}
