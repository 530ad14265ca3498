//! Plugins that chance has changed, as a fuzzer changes them: bytes flipped, set, cut out, doubled, put in from another file; a third are files that chance has written, of which half
//! are changed as well.

use super::files::{circle, of_preview_1, tiny_plugin, with_wasi};
use super::measured::{Examination, Totals, examine_measured};
use super::written::written;
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::{CompileLimits, WasmEngine, pack_component};

/// What each may take, as small a file as it is.
const TIME: Duration = Duration::from_secs(5);
/// See [`TIME`].
const MEMORY: u64 = 512 << 20;
/// What a process may have used before it is seen: it is looked at a hundred times a second, and bounds itself to whole seconds.
const TIME_BESIDE: Duration = Duration::from_secs(2);
/// See [`TIME_BESIDE`]; the program's own file is part of its memory.
const MEMORY_BESIDE: u64 = 384 << 20;

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

impl Outcome {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Loaded, Self::Refused, Self::Contained];
}

/// Where a mutant comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A file that is known, changed; `came_to_nothing`: chance was to write one, and none came of it.
    Known { came_to_nothing: bool },
    /// A file that chance has written, changed.
    WrittenAndChanged,
    /// A file that chance has written, as it is.
    Written,
}

/// Mutants of plugins, as many as wanted from one seed.
pub struct Mutants {
    files: Vec<Vec<u8>>,
    seed: u64,
}

impl Mutants {
    /// Mutants of the smallest plugin, as a module, as a component, as a module of preview 1 and as a component that imports of WASI, of the component
    /// whose packages depend on each other in a circle, and of `plugin`.
    pub fn new(seed: u64, plugin: &[u8], engine: &WasmEngine) -> Self {
        let component = pack_component("tiny", &tiny_plugin(""), engine).expect("the smallest plugin is one");
        Self { files: vec![tiny_plugin(""), component, of_preview_1(), with_wasi(), circle(), plugin.to_vec()], seed }
    }

    /// Mutant `number`.
    fn mutant(&self, number: u64) -> (Vec<u8>, Origin) {
        let mut rng = fastrand::Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let wanted = rng.u8(..3) == 0;
        let written = if wanted { written(&self.files[1], &mut rng) } else { None };
        if let Some(file) = written.as_ref().filter(|_| rng.bool()) {
            return (file.clone(), Origin::Written);
        }
        let origin = if written.is_some() { Origin::WrittenAndChanged } else { Origin::Known { came_to_nothing: wanted } };
        // The larger one takes longest.
        let file = if rng.u8(..8) == 0 { self.files.len() - 1 } else { rng.usize(..self.files.len() - 1) };
        let mut bytes = written.unwrap_or_else(|| self.files[file].clone());
        // Behind these bytes stands what says what a module wants to be.
        let typed = bytes.windows(14).position(|window| window == b"component-type").filter(|_| rng.bool());
        for _ in 0..rng.usize(1..4) {
            mutate(&mut bytes, typed.unwrap_or(8), &self.files, &mut rng);
        }
        (bytes, origin)
    }

    /// Has those with these numbers examined by `engine`, one after the other, and says how many came to what and what it took. Panics where the host
    /// did not say of one what it was, or the process that examined it took more than it may. No other child of this process may end meanwhile.
    pub fn examine(&self, numbers: impl Iterator<Item = u64>, engine: &WasmEngine) -> Totals {
        let mut totals = Totals::default();
        for number in numbers {
            let name = format!("mutant {number} of seed {}", self.seed);
            let limits = CompileLimits { time: Some(TIME), memory: Some(MEMORY) };
            let (bytes, origin) = self.mutant(number);
            let Examination { refused, cpu, peak } = examine_measured(&name, &bytes, engine, limits);
            assert!(cpu <= TIME + TIME_BESIDE, "{name}: it took {cpu:?} of processor time, and {TIME:?} are the most");
            // The first that is beyond it is named: the system keeps the highest peak.
            assert!(peak <= MEMORY + MEMORY_BESIDE, "{name}: it took {} MiB, and {} are the most", peak >> 20, MEMORY >> 20);
            (totals.cpu, totals.peak) = (totals.cpu.max(cpu), totals.peak.max(peak));
            let outcome = refused.map_or(Outcome::Loaded, |error| outcome(&name, &error));
            *totals.outcomes.entry(outcome).or_default() += 1;
            match origin {
                Origin::Known { came_to_nothing } => totals.came_to_nothing += u64::from(came_to_nothing),
                Origin::WrittenAndChanged => totals.written_and_changed += 1,
                Origin::Written => *totals.written.entry(outcome).or_default() += 1,
            }
        }
        totals
    }
}

/// What became of the mutant `name`, which was refused with `error`.
fn outcome(name: &str, error: &EngineError) -> Outcome {
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
