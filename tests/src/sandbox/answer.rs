//! What a guest of WebAssembly's own text answers, laid out as the canonical ABI has it, and parts of its memory.

/// Where a guest's answer stands: `result<effects, failure>`, as the canonical ABI lays it out.
pub const ANSWER: u32 = 65_536;

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
pub(super) struct Memory {
    pub(super) base: u32,
    pub(super) bytes: Vec<u8>,
}

impl Memory {
    /// Nothing yet, from `base` on.
    pub(super) fn at(base: u32) -> Self {
        Self { base, bytes: Vec::new() }
    }

    /// So many zeros.
    pub(super) fn room(&mut self, bytes: usize) -> u32 {
        self.add(&vec![0; bytes])
    }

    /// These bytes, at a multiple of eight: where they are.
    pub(super) fn add(&mut self, bytes: &[u8]) -> u32 {
        let at = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(at, 0);
        self.bytes.extend_from_slice(bytes);
        self.base + at as u32
    }

    /// A text: where it is, and its length.
    pub(super) fn text(&mut self, text: &str) -> [u32; 2] {
        [self.add(text.as_bytes()), text.len() as u32]
    }

    /// These words: where they are.
    pub(super) fn words(&mut self, words: &[u32]) -> u32 {
        self.add(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>())
    }

    /// Other words at `at`.
    pub(super) fn put(&mut self, at: u32, words: &[u32]) {
        let start = (at - self.base) as usize;
        for (place, word) in words.iter().enumerate() {
            self.bytes[start + 4 * place..][..4].copy_from_slice(&word.to_le_bytes());
        }
    }
}

/// Bytes that stand in the memory from the beginning.
pub(super) fn data_segment(at: u32, bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {at}) \"{escaped}\")")
}
