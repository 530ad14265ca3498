//! Plugins that chance has changed, as a fuzzer changes them: bytes flipped, set, cut out, doubled, put in from another file.

use super::files::{circle, tiny_plugin};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use weir_engine::ErrorKind;
use weir_wasm::{Plugin, WasmEngine, pack_component};

/// Threads that have plugins examined.
const THREADS: usize = 2;

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is still a plugin.
    Loaded,
    /// It was refused by what read it.
    Refused,
    /// What read it gave up or passed a limit, and the host said so.
    Contained,
}

/// Mutants of plugins, as many as wanted from one seed.
pub struct Mutants {
    files: Vec<Vec<u8>>,
    seed: u64,
}

impl Mutants {
    /// Mutants of the smallest plugin, as a module and as a component, of the component whose packages depend on each other in a circle, and of `plugin`.
    pub fn new(seed: u64, plugin: &[u8], engine: &WasmEngine) -> Self {
        let component = pack_component("tiny", &tiny_plugin(""), engine).expect("the smallest plugin is one");
        Self { files: vec![tiny_plugin(""), component, circle(), plugin.to_vec()], seed }
    }

    /// Mutant `number`.
    fn mutant(&self, number: u64) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // The larger one takes longest.
        let file = if rng.u8(..8) == 0 { self.files.len() - 1 } else { rng.usize(..self.files.len() - 1) };
        let mut bytes = self.files[file].clone();
        // Behind these bytes stands what says what a module wants to be.
        let typed = bytes.windows(14).position(|window| window == b"component-type").filter(|_| rng.bool());
        for _ in 0..rng.usize(1..4) {
            mutate(&mut bytes, typed.unwrap_or(8), &self.files, &mut rng);
        }
        bytes
    }

    /// Has the first `count` examined by `engine`, and says how many came to what. Panics where the host did not say of one what it was.
    pub fn examine(&self, count: u64, engine: &WasmEngine) -> BTreeMap<Outcome, u64> {
        let (next, outcomes) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()));
        let work = || {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= count {
                    break;
                }
                let outcome = examine(&format!("mutant {number} of seed {}", self.seed), &self.mutant(number), engine);
                *outcomes.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
            }
        };
        std::thread::scope(|scope| (0..THREADS).for_each(|_| _ = scope.spawn(work)));
        outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn examine(name: &str, bytes: &[u8], engine: &WasmEngine) -> Outcome {
    let error = match Plugin::from_bytes(name, bytes, engine) {
        Ok(_) => return Outcome::Loaded,
        Err(error) => error,
    };
    let text = error.to_string();
    assert!(error.kind() == ErrorKind::FixInput && text.starts_with(&format!("load plugin {name}: ")), "{error:?}");
    let contained = ["of stack", "gave up", "of processor time", "of memory", "compiled code has"];
    // Any other death of the process is one that nobody has thought of.
    assert!(!text.contains("the process that examined it"), "{text}");
    if contained.iter().any(|words| text.contains(words)) { Outcome::Contained } else { Outcome::Refused }
}

fn mutate(bytes: &mut Vec<u8>, from: usize, files: &[Vec<u8>], rng: &mut fastrand::Rng) {
    if bytes.len() <= from {
        return;
    }
    let at = rng.usize(from..bytes.len());
    let end = (at + rng.usize(1..32)).min(bytes.len());
    match rng.u8(..6) {
        0 | 1 => bytes[at] ^= 1 << rng.u8(..8),
        2 => bytes[at] = *rng.choice(&[0, 1, 0x7f, 0x80, 0xff, 0x40, 0x42]).expect("there are some"),
        3 => _ = bytes.drain(at..end),
        4 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        _ => {
            let other = &files[rng.usize(..files.len())];
            let start = rng.usize(..other.len());
            let part = other[start..(start + rng.usize(1..64)).min(other.len())].to_vec();
            bytes.splice(at..end, part);
        }
    }
}
