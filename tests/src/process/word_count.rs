//! The job that the real binary is tested with: lines are split into words, words are counted, every count is written.
//!
//! A word that comes n times leaves the lines 1 to n, each exactly once: a record lost or worked off twice shows in its line, and so does a
//! state that is older or newer than the position it is restored with.

use super::{Job, plugin};
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
    /// Further lines of `[checkpoints]`.
    pub checkpoints: String,
    /// Further lines of `[operator.count]`.
    pub count_settings: String,
    /// Further lines at the top of the file.
    pub settings: String,
}

impl Default for WordCount {
    fn default() -> Self {
        Self {
            lines: 3_000,
            rate: 3_000,
            parallelism: 1,
            checkpoints: String::new(),
            count_settings: String::new(),
            settings: String::new(),
        }
    }
}

impl WordCount {
    /// A job that runs for more than a minute where nothing ends it: for whoever stops it, or does several things to it while it runs.
    pub fn long() -> Self {
        Self { lines: 20_000, rate: 300, ..Self::default() }
    }

    /// A job of which a process that is held, fenced or stopped after its first checkpoints has not come to the end, and that ends in 10 s.
    pub fn unhurried() -> Self {
        Self { lines: 6_000, rate: 600, ..Self::default() }
    }

    /// The job file.
    pub fn job_file(&self) -> String {
        let Self { rate, parallelism, checkpoints, count_settings, settings, .. } = self;
        let (split, count) = (plugin("word-count-split"), plugin("word-count-count"));
        format!(
            "name = \"words\"
parallelism = {parallelism}
{settings}
[checkpoints]
interval = \"50ms\"
{checkpoints}
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

impl Job for WordCount {
    fn files(&self) -> Vec<(&'static str, String)> {
        vec![("input.txt", self.input())]
    }

    fn job_file(&self) -> String {
        self.job_file()
    }

    fn rate(&self) -> u64 {
        self.rate
    }

    fn output(&self) -> Lines {
        self.output()
    }

    fn said(&self, line: &str) -> String {
        line.to_owned()
    }

    fn not_at_least_once(&self, committed: &Lines) -> Option<String> {
        not_at_least_once(committed, &self.output())
    }
}

/// Where what a job committed that counts each record at least once is not what it may be: every line of the input's is there, and a word that was
/// counted again has gone on to higher counts, one after the other. Nothing, or the first word that is wrong.
fn not_at_least_once(committed: &Lines, expected: &Lines) -> Option<String> {
    let (found, asked) = (highest_counts(committed), highest_counts(expected));
    let wrong = |word: &&String| {
        let (highest, lines) = found.get(*word).copied().unwrap_or_default();
        let asked = asked.get(*word).map_or(u64::MAX, |(highest, _)| *highest);
        highest < asked || lines != highest
    };
    let word = found.keys().chain(asked.keys()).find(wrong)?;
    Some(format!("{word}: highest count and different lines are {:?}, the input has {:?}", found.get(word), asked.get(word)))
}

/// For each word its highest count, and how many different counts it has.
fn highest_counts(lines: &Lines) -> BTreeMap<String, (u64, u64)> {
    let mut highest = BTreeMap::<String, (u64, u64)>::new();
    for line in lines.keys() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a committed line is JSON");
        let (word, count) = (line["word"].as_str().expect("a word"), line["count"].as_u64().expect("a count"));
        let (most, different) = highest.entry(word.to_owned()).or_default();
        (*most, *different) = ((*most).max(count), *different + 1);
    }
    highest
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `a3` is the line of the third `a`.
    fn lines(text: &str) -> Lines {
        let line = |item: &str| format!("{{\"word\":\"{}\",\"count\":{}}}", &item[..1], &item[1..]);
        let mut lines = Lines::new();
        text.split_whitespace().for_each(|item| *lines.entry(line(item)).or_default() += 1);
        lines
    }

    #[test]
    fn at_least_once_allows_lines_again_and_higher_counts_and_nothing_else() {
        let check = |committed: &str, fine: bool| {
            let found = not_at_least_once(&lines(committed), &lines("a1 a2 b1"));
            assert_eq!(found.is_none(), fine, "{committed}: {found:?}");
        };
        check("a1 a2 b1", true);
        check("a1 a1 a2 b1", true);
        check("a1 a2 a3 a4 b1", true);
        check("a1 a2", false);
        check("a2 b1", false);
        check("a1 a2 a4 b1", false);
        check("a1 a2 b1 c1", false);
    }
}
