//! Plugins in WebAssembly's own text: what no SDK would let through, one wrong thing at a time, and one that answers with whatever bytes it is given.
//!
//! Memory: what `describe` answers from 1,024 on, an answer that has no effect at 2,048, one of `merge` and `migrate` at 2,176, answers at [`ANSWER`], what the
//! host hands in from 1 MiB on.

use super::answer::{ANSWER, Answer, Memory, data_segment};
use super::declared::{Declares, State};
use std::collections::BTreeMap;
use weir_engine::EngineError;
use weir_wasm::{Plugin, WasmEngine, pack_component};

/// Where what `describe` answers stands.
const DESCRIPTION: u32 = 1_024;
/// An answer that is all zeros: it has no effects.
const NOTHING: u32 = 2_048;

/// `result<column, string>` from the locals of a column that was handed in.
macro_rules! the_column {
    ($data:literal $length:literal $ends:literal $ends_length:literal) => {
        concat!(
            "(i32.store (i32.const 2176) (i32.const 0)) (i32.store (i32.const 2180) (local.get ",
            $data,
            ")) (i32.store (i32.const 2184) (local.get ",
            $length,
            ")) (i32.store (i32.const 2188) (local.get ",
            $ends,
            ")) (i32.store (i32.const 2192) (local.get ",
            $ends_length,
            ")) (i32.const 2176)"
        )
    };
}

/// The functions that a plugin exports, with the parameters and results of the core module, and what they answer where nothing else is wanted.
const EXPORTS: [(&str, &str, &str); 7] = [
    ("describe", "(result i32)", "(i32.const 1024)"),
    ("open", "(param i32 i32 i32 i32 i32 i32 i64) (result i32)", "(i32.const 2048)"),
    ("process", "(param i32) (result i32)", "(i32.const 2048)"),
    ("on-timers", "(param i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)", "(i32.const 2048)"),
    ("on-windows", "(param i32) (result i32)", "(i32.const 2048)"),
    ("merge", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)", the_column!(1 2 3 4)),
    ("migrate", "(param i32 i32 i32 i32 i32 i32) (result i32)", the_column!(2 3 4 5)),
];

/// A plugin in text. Unless told otherwise it does nothing: of two values it keeps the earlier one, and an old value as it is.
#[derive(Clone, Default)]
pub struct WatGuest {
    declares: Declares,
    /// By the export: what it does first, and what it answers.
    before: BTreeMap<&'static str, String>,
    answers: BTreeMap<&'static str, String>,
    behind: BTreeMap<&'static str, String>,
    pages: Option<u32>,
    in_realloc: String,
    items: String,
}

impl WatGuest {
    /// One that is called with windows.
    pub fn windowed() -> Self {
        Self { declares: Declares::Windowed, ..Self::default() }
    }

    /// `code` runs at the beginning of `export`.
    pub fn before(mut self, export: &'static str, code: &str) -> Self {
        self.before.insert(export, code.into());
        self
    }

    /// `export` answers with what `code` leaves behind: an address.
    pub fn answers(mut self, export: &'static str, code: &str) -> Self {
        self.answers.insert(export, code.into());
        self
    }

    /// `code` runs when the host has read what `export` answered: in its `cabi_post_…`.
    pub fn behind(mut self, export: &'static str, code: &str) -> Self {
        self.behind.insert(export, code.into());
        self
    }

    /// Its memory has so many pages of 64 KiB; else 32.
    pub fn pages(mut self, pages: u32) -> Self {
        self.pages = Some(pages);
        self
    }

    /// `code` runs whenever the host wants room for what it hands in.
    pub fn in_realloc(mut self, code: &str) -> Self {
        self.in_realloc = code.into();
        self
    }

    /// More of the module: functions, tables, globals, a start function.
    pub fn with(mut self, items: &str) -> Self {
        self.items.push_str(items);
        self
    }

    /// `answer` stands at [`ANSWER`] from the beginning, and `process` answers with it.
    pub fn answering(self, answer: &Answer) -> Self {
        let data = data_segment(ANSWER, answer.bytes());
        self.with(&data).answers("process", &format!("(i32.const {ANSWER})"))
    }

    /// `process` answers with the bytes of its first record's value, which stand at [`ANSWER`] then.
    pub fn mirror() -> Self {
        Self::default().mirrors("process", ["(i32.load offset=56 (local.get 0))", "(i32.load offset=60 (local.get 0))"])
    }

    /// A mirror in everything that it is called for, with all that can be declared, as a windowed operator or as another one: `on-timers` and `on-windows` answer with
    /// the bytes of their first key, `merge` with those of the earlier value, `migrate` with those of the old one.
    pub fn mirror_of_all(windowed: bool) -> Self {
        let declares = if windowed { Declares::AllWindowed } else { Declares::All };
        Self { declares, ..Self::mirror() }
            .mirrors("on-timers", ["(local.get 3)", "(local.get 4)"])
            .mirrors("on-windows", ["(i32.load offset=24 (local.get 0))", "(i32.load offset=28 (local.get 0))"])
            .mirrors("merge", ["(local.get 1)", "(local.get 2)"])
            .mirrors("migrate", ["(local.get 2)", "(local.get 3)"])
    }

    /// `export` answers with these bytes: where they are, and how many.
    fn mirrors(self, export: &'static str, [at, length]: [&str; 2]) -> Self {
        let copy = format!("(memory.copy (i32.const {ANSWER}) {at} {length})");
        self.before(export, &copy).answers(export, &format!("(i32.const {ANSWER})"))
    }

    /// The core module.
    pub fn module(&self) -> Vec<u8> {
        let description = self.description();
        let exports = EXPORTS.map(|(name, signature, answer)| {
            let before = self.before.get(name).map(String::as_str).unwrap_or_default();
            let answer = self.answers.get(name).map_or(answer, String::as_str);
            let symbol = format!("weir:operator/guest@0.2.0#{name}");
            let post = |code: &String| format!("(func (export \"cabi_post_{symbol}\") (param i32) {code})");
            let post = self.behind.get(name).map(post).unwrap_or_default();
            // The room of what the host has handed in is given out again: the answer is read before the next call.
            format!("(func (export \"{symbol}\") {signature} {before} (global.set $top (i32.const 1048576)) {answer}) {post}")
        });
        let text = format!(
            r#"(module
                (memory (export "memory") {})
                (global $top (mut i32) (i32.const 1048576))
                {}
                {}
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    {}
                    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
                    (global.set $top (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                {})"#,
            self.pages.unwrap_or(32),
            data_segment(description.base, &description.bytes),
            exports.join("\n"),
            self.in_realloc,
            self.items
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The plugin, or why it is none.
    pub fn load(&self, name: &str, engine: &WasmEngine) -> Result<Plugin, EngineError> {
        let component = pack_component(name, &self.module(), engine).expect("it fits the world");
        Plugin::from_bytes(name, &component, engine)
    }

    fn description(&self) -> Memory {
        let windowed = matches!(self.declares, Declares::Windowed | Declares::AllWindowed);
        let mut memory = Memory::at(DESCRIPTION);
        let root = memory.room(52);
        let [name, version] = ["hostile", "0.1.0"].map(|text| memory.text(text));
        let declared = self.declares.lists();
        let inputs = declared.inputs.iter().flat_map(|(name, by)| [&memory.text(name)[..], &[0, 0, *by]].concat()).collect::<Vec<_>>();
        let outputs = declared.outputs.iter().flat_map(|name| [&memory.text(name)[..], &[0; 4]].concat()).collect::<Vec<_>>();
        let raw = memory.text("raw");
        let mut states = Vec::new();
        for State { name, kind, lives, merges } in declared.states {
            let name = memory.text(name);
            let [has, domain] = lives.map_or([0, 0], |domain| [1, domain]);
            states.extend([name[0], name[1], *kind, raw[0], raw[1], 2, has, 0, 60_000 * has, 0, domain, 0, u32::from(*merges), 0]);
        }
        let timers = declared.timers.iter().flat_map(|(name, by)| [&memory.text(name)[..], &[*by]].concat()).collect::<Vec<_>>();
        let lists = [(inputs, declared.inputs.len()), (outputs, declared.outputs.len())];
        let lists = lists.into_iter().chain([(states, declared.states.len()), (timers, declared.timers.len())]);
        let lists: Vec<u32> = lists.flat_map(|(words, count)| [memory.words(&words), count as u32]).collect();
        memory.put(root, &[&name[..], &version[..], &lists[..], &[u32::from(windowed)]].concat());
        assert!(DESCRIPTION as usize + memory.bytes.len() <= NOTHING as usize, "what it says of itself fits");
        memory
    }
}
