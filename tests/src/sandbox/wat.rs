//! Plugins in WebAssembly's own text: what no SDK would let through, one wrong thing at a time, and one that answers with whatever bytes it is given.
//!
//! Memory: what `describe` answers from 1,024 on, an answer that has no effect at 2,048, answers at [`ANSWER`], what the host hands in from 1 MiB on.

use super::declared::{Declares, State};
use std::collections::BTreeMap;
use weir_engine::EngineError;
use weir_wasm::{Plugin, WasmEngine, pack_component};

/// Where a guest's answer stands: `result<effects, failure>`, as the canonical ABI lays it out.
pub const ANSWER: u32 = 65_536;
/// Where what `describe` answers stands.
const DESCRIPTION: u32 = 1_024;
/// An answer that is all zeros: it has no effects.
const NOTHING: u32 = 2_048;

/// The functions that a plugin exports, with the parameters and results of the core module.
const EXPORTS: [(&str, &str, &str); 7] = [
    ("describe", "(result i32)", "(i32.const 1024)"),
    ("open", "(param i32 i32 i32 i32 i32 i32 i64) (result i32)", "(i32.const 2048)"),
    ("process", "(param i32) (result i32)", "(i32.const 2048)"),
    ("on-timers", "(param i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)", "(i32.const 2048)"),
    ("on-windows", "(param i32) (result i32)", "(i32.const 2048)"),
    ("merge", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)", "unreachable"),
    ("migrate", "(param i32 i32 i32 i32 i32 i32) (result i32)", "unreachable"),
];

/// A plugin in text. Unless told otherwise it does nothing.
#[derive(Clone, Default)]
pub struct WatGuest {
    declares: Declares,
    /// By the export: what it does first, and what it answers.
    before: BTreeMap<&'static str, String>,
    answers: BTreeMap<&'static str, String>,
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
            // What the host has handed in is not looked at any more.
            format!(
                "(func (export \"weir:operator/guest@0.2.0#{name}\") {signature} {before} (global.set $top (i32.const 1048576)) {answer})"
            )
        });
        let text = format!(
            r#"(module
                (memory (export "memory") 32)
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

/// `result<effects, failure>`, laid out from [`ANSWER`] on: by and by, and as wrong as wanted.
pub struct Answer(Memory);

impl Answer {
    /// A column of `merge` or `migrate`, as `result<column, string>`.
    pub fn column(items: &[&[u8]]) -> Self {
        let mut answer = Self(Memory::at(ANSWER));
        answer.0.room(20);
        let column = answer.column_at(items);
        answer.word(4, &column)
    }

    /// No effects.
    pub fn nothing() -> Self {
        let mut memory = Memory::at(ANSWER);
        memory.room(68);
        Self(memory)
    }

    /// The list `number` of the effects (outputs, values, lists, maps, broadcasts, touched, timers, metrics) has these elements, one behind the other.
    pub fn list(mut self, number: u32, elements: &[u32], count: u32) -> Self {
        let at = self.0.words(elements);
        self.0.put(ANSWER + 4 + 8 * number, &[at, count]);
        self
    }

    /// Other words, `offset` bytes from the beginning on.
    pub fn word(mut self, offset: u32, words: &[u32]) -> Self {
        self.0.put(ANSWER + offset, words);
        self
    }

    /// These bytes somewhere behind: their address, and how many they are.
    pub fn bytes_at(&mut self, bytes: &[u8]) -> [u32; 2] {
        [self.0.add(bytes), bytes.len() as u32]
    }

    /// These integers somewhere behind.
    pub fn integers_at(&mut self, integers: &[u32]) -> [u32; 2] {
        self.bytes_at(&integers.iter().flat_map(|integer| integer.to_le_bytes()).collect::<Vec<u8>>())
    }

    /// A column somewhere behind: its data and its ends.
    pub fn column_at(&mut self, items: &[&[u8]]) -> [u32; 4] {
        let mut end = 0;
        let ends: Vec<u32> = items.iter().map(|item| (end += item.len() as u32, end).1).collect();
        let ([data, bytes], [at, length]) = (self.bytes_at(&items.concat()), self.integers_at(&ends));
        [data, bytes, at, length]
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

/// A part of a guest's memory that is filled from its beginning on.
struct Memory {
    base: u32,
    bytes: Vec<u8>,
}

impl Memory {
    fn at(base: u32) -> Self {
        Self { base, bytes: Vec::new() }
    }

    fn room(&mut self, bytes: usize) -> u32 {
        self.add(&vec![0; bytes])
    }

    fn add(&mut self, bytes: &[u8]) -> u32 {
        let at = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(at, 0);
        self.bytes.extend_from_slice(bytes);
        self.base + at as u32
    }

    fn text(&mut self, text: &str) -> [u32; 2] {
        [self.add(text.as_bytes()), text.len() as u32]
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        self.add(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>())
    }

    fn put(&mut self, at: u32, words: &[u32]) {
        let start = (at - self.base) as usize;
        for (place, word) in words.iter().enumerate() {
            self.bytes[start + 4 * place..][..4].copy_from_slice(&word.to_le_bytes());
        }
    }
}

fn data_segment(at: u32, bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {at}) \"{escaped}\")")
}
