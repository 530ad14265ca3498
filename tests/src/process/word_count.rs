//! The job that the real binary is tested with: lines are split into words, words are counted, every count is written.
//!
//! A word that comes n times leaves the lines 1 to n, each exactly once: a record lost or worked off twice shows in its line, and so does a
//! state that is older or newer than the position it is restored with.

use super::plugin;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Different words of the input.
const WORDS: u64 = 40;
/// Words of a line.
const WORDS_PER_LINE: u64 = 3;

/// Lines with how often each is there.
pub type Lines = BTreeMap<String, u64>;

/// The job's settings, as far as tests vary them.
#[derive(Clone, Debug)]
pub struct WordCount {
    /// Lines of the input.
    pub lines: u64,
    /// Lines read per second.
    pub rate: u64,
    /// Of every step.
    pub parallelism: u32,
    /// Further lines of `[operator.count]`.
    pub count_settings: String,
    /// Further lines at the top of the file.
    pub settings: String,
}

impl Default for WordCount {
    fn default() -> Self {
        Self { lines: 3_000, rate: 3_000, parallelism: 1, count_settings: String::new(), settings: String::new() }
    }
}

impl WordCount {
    /// The job file.
    pub fn job_file(&self) -> String {
        let Self { rate, parallelism, count_settings, settings, .. } = self;
        let (split, count) = (plugin("word-count-split"), plugin("word-count-count"));
        format!(
            "name = \"words\"
parallelism = {parallelism}
{settings}
[checkpoints]
interval = \"50ms\"
[source.lines]
connector = \"file\"
path = \"input.txt\"
format = \"lines\"
rate = {rate}
[operator.split]
plugin = {split:?}
input = \"lines\"
[operator.count]
plugin = {count:?}
input = {{ from = \"split\", by = \"key\" }}
{count_settings}
[sink.out]
connector = \"file\"
input = \"count\"
path = \"out\"
"
        )
    }

    fn words(&self) -> impl Iterator<Item = u64> {
        // A fixed input: what varies is where the faults fall.
        let mut rng = fastrand::Rng::with_seed(7);
        (0..self.lines * WORDS_PER_LINE).map(move |_| rng.u64(..WORDS))
    }

    /// The input file.
    pub fn input(&self) -> String {
        let mut text = String::new();
        for (number, word) in (1..).zip(self.words()) {
            let end = if number % WORDS_PER_LINE == 0 { '\n' } else { ' ' };
            write!(text, "word{word}{end}").expect("a text can be written to");
        }
        text
    }

    /// The lines that a run commits.
    pub fn output(&self) -> Lines {
        let mut counts = [0; WORDS as usize];
        let line = |word: u64| {
            counts[word as usize] += 1;
            (format!("{{\"word\":\"word{word}\",\"count\":{}}}", counts[word as usize]), 1)
        };
        self.words().map(line).collect()
    }
}

/// Where two multisets of lines differ: nothing, or the first few differences.
pub fn differences(committed: &Lines, expected: &Lines) -> Option<String> {
    let count = |lines: &Lines, line: &String| lines.get(line).copied().unwrap_or(0);
    let lines: std::collections::BTreeSet<_> = committed.keys().chain(expected.keys()).collect();
    let different: Vec<_> = lines.into_iter().filter(|line| count(committed, line) != count(expected, line)).collect();
    let show = |line: &&String| format!("{line}: {} committed, {} expected", count(committed, line), count(expected, line));
    let first: Vec<_> = different.iter().take(5).map(show).collect();
    (!different.is_empty()).then(|| format!("{} lines differ:\n{}", different.len(), first.join("\n")))
}
