//! What a guest answers, byte by byte: addresses and lengths that lie in every list that there is.
//!
//! The guest is a mirror, which answers with the bytes of its record's value. Answers that chance has written are in `chance.rs`; what is wrong behind right
//! addresses and lengths is tried field by field where it is checked (`weir-wasm`, `effects/lies`).

use super::faults::{limits, settings};
use weir_tests::sandbox::{ANSWER, Answer, Bench, WatGuest, engine};
use weir_wasm::{EngineMode, OnFailure, OperatorSettings};

/// A list of the effects.
pub(super) struct List {
    name: &'static str,
    /// Bytes of an element.
    pub(super) size: usize,
    /// Where the elements' own lists and texts are, in bytes.
    within: &'static [u32],
}

/// In the order of `effects`.
pub(super) const LISTS: [List; 8] = [
    List { name: "outputs", size: 120, within: &[4, 12, 20, 28, 36, 44, 52, 60, 72, 80, 88, 96, 104, 112] },
    List { name: "values", size: 36, within: &[4, 12, 20, 28] },
    List { name: "lists", size: 68, within: &[4, 12, 20, 28, 36, 44, 52, 60] },
    List { name: "maps", size: 76, within: &[4, 12, 20, 28, 36, 44, 52, 60, 68] },
    List { name: "broadcasts", size: 56, within: &[8, 16, 24, 32, 40, 48] },
    List { name: "touched", size: 12, within: &[4] },
    List { name: "timers", size: 36, within: &[4, 12, 20, 28] },
    List { name: "metrics", size: 16, within: &[0] },
];
/// Where an output says whether it has headers.
const HAS_HEADERS: u32 = 68;

/// Addresses and lengths that no list has.
const LIES: [(&str, [u32; 2]); 5] = [
    ("behind all memory", [0xffff_fff0, 1]),
    ("longer than all memory", [ANSWER, 0x7fff_ffff]),
    ("around the end of all addresses", [0xffff_fff8, 0xffff_ffff]),
    ("as long as can be said", [ANSWER, u32::MAX]),
    ("at the last byte of memory", [(32 << 16) - 1, 1 << 16]),
];

fn mirror() -> Bench {
    let plugin = WatGuest::mirror().load("mirror.wasm", engine(EngineMode::Fuel)).expect("loads");
    Bench::open(plugin, settings(OnFailure::Fail)).expect("opens")
}

/// The answer is refused for what it is, and what follows goes on.
#[track_caller]
fn check(bench: &mut Bench, answer: &Answer, what: &str) {
    let error = bench.run_bytes("a", answer.bytes()).expect_err(what);
    let text = error.to_string();
    let named = text.contains("the plugin returned malformed effects: ") || text.contains("(limits.output-bytes)");
    assert!(named && error.is_guest_fault(), "{what}: {text}");
    bench.run_bytes("a", Answer::nothing().bytes()).unwrap_or_else(|error| panic!("behind {what}: {error}"));
}

#[test]
fn a_list_whose_address_or_length_lies_is_refused() {
    let mut bench = mirror();
    for (number, List { name, size, .. }) in LISTS.iter().enumerate() {
        for (lie, words) in LIES {
            check(&mut bench, &Answer::nothing().word(4 + 8 * number as u32, &words), &format!("{name} {lie}"));
        }
        let odd = [ANSWER + 1, 1];
        check(&mut bench, &Answer::nothing().word(4 + 8 * number as u32, &odd), &format!("{name} of {size} bytes at an odd address"));
        let many = [ANSWER, (1 << 20) / *size as u32];
        // So many of them fit into its memory; each is all zeros or the answer's own bytes, and costs the host more than the guest.
        let answer = Answer::nothing().word(4 + 8 * number as u32, &many);
        assert!(bench.run_bytes("a", answer.bytes()).is_err_and(|error| error.is_guest_fault()), "{name}, very many");
    }
}

#[test]
fn a_list_within_an_element_whose_address_or_length_lies_is_refused() {
    let mut bench = mirror();
    for (number, List { name, size, within }) in LISTS.iter().enumerate() {
        for offset in *within {
            for (lie, words) in LIES {
                let mut element = vec![0; size / 4];
                element[*offset as usize / 4..][..2].copy_from_slice(&words);
                if *size == 120 {
                    element[HAS_HEADERS as usize / 4] = 1;
                }
                check(&mut bench, &Answer::nothing().list(number as u32, &element, 1), &format!("{name}, offset {offset}, {lie}"));
            }
        }
    }
}

#[test]
fn what_is_neither_effects_nor_a_failure_is_refused() {
    let mut bench = mirror();
    check(&mut bench, &Answer::nothing().word(0, &[7]), "a result that is neither");
    check(&mut bench, &Answer::nothing().word(0, &[1, 9]), "a failure whose cause is neither there nor absent");
    for (lie, [at, length]) in LIES {
        check(&mut bench, &Answer::nothing().word(0, &[1, 0, 0, at, length]), &format!("a failure's message {lie}"));
    }
    let mut output = [0; 30];
    output[HAS_HEADERS as usize / 4] = 2;
    check(&mut bench, &Answer::nothing().list(0, &output, 1), "an output whose headers are neither there nor absent");
    let mut answer = Answer::nothing();
    let name = answer.bytes_at(b"\xff\xfe");
    check(&mut bench, &answer.list(7, &[name[0], name[1], 1, 0], 1), "a metric's name that is no text");
    let mut answer = Answer::nothing();
    let message = answer.bytes_at(b"\xc3\x28");
    check(&mut bench, &answer.word(0, &[1, 0, 0, message[0], message[1]]), "a failure's message that is no text");
}

#[test]
fn an_answer_that_lies_outside_of_memory_is_refused() {
    for at in [u32::MAX, 32 << 16, (32 << 16) - 4, ANSWER + 2] {
        let guest = WatGuest::default().answers("process", &format!("(i32.const {})", at as i32));
        let mut bench =
            Bench::open(guest.load("astray.wasm", engine(EngineMode::Fuel)).expect("loads"), settings(OnFailure::Fail)).expect("opens");
        let error = bench.run_bytes("a", b"x").expect_err("an address");
        assert!(error.to_string().contains("the plugin returned malformed effects: ") && error.is_guest_fault(), "{at}: {error}");
    }
}

/// One list of the effects or of an element is very long, and all of it is in memory: what the host makes of it is bounded.
#[test]
fn what_is_long_and_true_is_held_by_the_limit_of_what_comes_back() {
    let mut limits = limits();
    limits.output_bytes = 100_000;
    let plugin = WatGuest::mirror().load("mirror.wasm", engine(EngineMode::Fuel)).expect("loads");
    let mut bench = Bench::open(plugin, OperatorSettings { limits, ..settings(OnFailure::Fail) }).expect("opens");
    for (number, List { name, size, within }) in LISTS.iter().enumerate() {
        for offset in *within {
            let mut element = vec![0; size / 4];
            element[*offset as usize / 4..][..2].copy_from_slice(&[0, 1 << 20]);
            if *size == 120 {
                element[HAS_HEADERS as usize / 4] = 1;
            }
            let answer = Answer::nothing().list(number as u32, &element, 1);
            let error = bench.run_bytes("a", answer.bytes()).expect_err(name).to_string();
            let refused = error.contains("more than 100000 bytes from one call (limits.output-bytes)");
            // A text is looked at before it is copied.
            assert!(refused || *name == "metrics" && error.contains("malformed"), "{name}, offset {offset}: {error}");
        }
    }
}
