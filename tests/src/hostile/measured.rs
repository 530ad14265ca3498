//! What it took to examine a plugin, of the process that did it.
//!
//! The system adds up what a process's children have used, so this is only known where there is one child at a time and no other: in a process of
//! its own, [`examiner`], which a test or a bench starts with the binary `examine-plugins`.

use super::{Mutants, Outcome, plain_engine};
use crate::process::usage_of_children;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use weir_engine::EngineError;
use weir_wasm::{CompileLimits, Plugin, WasmEngine};

/// Processes that examine mutants side by side.
const EXAMINERS: u64 = 2;

/// What came of a plugin, and what that took.
pub struct Examination {
    /// Why it is none, where it is none.
    pub refused: Option<EngineError>,
    /// Processor time of the process that examined it.
    pub cpu: Duration,
    /// The most memory that any such process has had so far, in bytes. The program's own file is part of it.
    pub peak: u64,
}

/// Has `bytes` examined. No other child of this process may end meanwhile.
pub fn examine_measured(name: &str, bytes: &[u8], engine: &WasmEngine, limits: CompileLimits) -> Examination {
    let before = usage_of_children().cpu;
    let refused = Plugin::from_bytes_within(name, bytes, engine, limits).err();
    let after = usage_of_children();
    Examination { refused, cpu: after.cpu.saturating_sub(before), peak: after.peak }
}

/// What many examinations took.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// How many came to what.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// The same of those among them that chance has written and nothing has changed.
    pub written: BTreeMap<Outcome, u64>,
    /// How many chance has written that were changed as well.
    pub written_and_changed: u64,
    /// How many chance was to write and did not.
    pub came_to_nothing: u64,
    /// The most processor time of one of them.
    pub cpu: Duration,
    /// The most memory of one of them, in bytes.
    pub peak: u64,
}

impl Totals {
    /// Has `count` mutants of `seed` examined by `examiner`, which is the binary `examine-plugins`, for `weir`. Fails where a process that examines
    /// one takes more than it may, or the host does not say what became of one.
    pub fn of_mutants(examiner: &str, weir: &str, plugin: &Path, (seed, count): (u64, u64)) -> Self {
        let start = |first: u64| {
            let mut command = Command::new(examiner);
            command.arg("mutants").arg(weir).arg(plugin).args([seed, first, count, EXAMINERS].map(|number| number.to_string()));
            command.stdout(Stdio::piped()).spawn().expect("the examiner starts")
        };
        let all: Vec<_> = (0..EXAMINERS).map(start).collect();
        let ended = all.into_iter().map(|examiner| examiner.wait_with_output().expect("the examiner ends"));
        let ended: Vec<_> = ended.collect();
        assert!(ended.iter().all(|output| output.status.success()), "a mutant is not held; what it did stands above");
        ended.iter().fold(Self::default(), |mut totals, output| {
            totals.add(&serde_json::from_slice(&output.stdout).expect("a document"));
            totals
        })
    }

    fn add(&mut self, document: &Value) {
        let number = |name: &str| document[name].as_u64().expect("a number");
        for (counted, before) in [(&mut self.outcomes, ""), (&mut self.written, "written")] {
            Outcome::ALL.into_iter().for_each(|outcome| *counted.entry(outcome).or_default() += number(&format!("{before}{outcome:?}")));
        }
        self.written_and_changed += number("written_and_changed");
        self.came_to_nothing += number("came_to_nothing");
        self.cpu = self.cpu.max(Duration::from_millis(number("cpu_ms")));
        self.peak = self.peak.max(number("peak"));
    }

    fn document(&self) -> Value {
        let counted = [(&self.outcomes, ""), (&self.written, "written")].into_iter().flat_map(|(counted, before)| {
            Outcome::ALL.into_iter().map(move |outcome| (format!("{before}{outcome:?}"), *counted.get(&outcome).unwrap_or(&0)))
        });
        let more = [
            ("written_and_changed", self.written_and_changed),
            ("came_to_nothing", self.came_to_nothing),
            ("cpu_ms", self.cpu.as_millis() as u64),
            ("peak", self.peak),
        ];
        let more = more.into_iter().map(|(name, number)| (name.to_owned(), number));
        Value::Object(counted.chain(more).map(|(name, number)| (name, json!(number))).collect())
    }
}

/// What the binary `examine-plugins` does and prints: `plugin WEIR FILE CPU-MS MEMORY-MIB` examines one file, `mutants WEIR PLUGIN SEED FIRST COUNT STEP`
/// those mutants.
pub fn examiner(args: &[String]) -> Value {
    let number = |text: &String| text.parse::<u64>().unwrap_or_else(|error| panic!("{text}: {error}"));
    let read = |file: &String| std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    match args {
        [task, weir, file, cpu_ms, memory_mib] if task == "plugin" => {
            let limits = CompileLimits { time: Some(Duration::from_millis(number(cpu_ms))), memory: Some(number(memory_mib) << 20) };
            let Examination { refused, cpu, peak } = examine_measured(file, &read(file), &plain_engine(weir), limits);
            json!({ "refused": refused.map(|error| error.to_string()), "cpu_ms": cpu.as_millis() as u64, "peak": peak })
        }
        [task, weir, plugin, seed, first, count, step] if task == "mutants" => {
            let engine = plain_engine(weir);
            let numbers = (number(first)..number(count)).step_by(number(step) as usize);
            Mutants::new(number(seed), &read(plugin), &engine).examine(numbers, &engine).document()
        }
        other => panic!("no such task: {other:?}"),
    }
}
