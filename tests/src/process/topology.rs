//! Jobs of several shapes for random sequences: what each reads, how its job file may be written, and what it commits in the end.

use super::{Bench, Lines, TimedJob, TimedRow, examples, plugin};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// Words, aircraft: different keys of an input. Each comes so often that a version which traps at every hundredth time does so by half of it.
const KEYS: u64 = 10;
/// Records of a job, more or less.
const RECORDS: u64 = 2_400;
/// Files that they lie in.
const FILES: u64 = 3;
/// Aircraft of which a plane is known.
const PLANES: u64 = 8;
/// One row in so many cannot be read.
const BAD_ROW: u64 = 97;
/// One record in so many makes its operator fail.
const FAULT: u64 = 401;
/// The ways in which an operator is made to fail.
const FAULTS: [&str; 3] = ["trap", "fail", "malformed:ends-fall"];

/// The shape of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Lines of several files are cut into words, and the words counted by key.
    Counted,
    /// The same with a second operator by key behind the first.
    CountedTwice,
    /// Two inputs, joined by key.
    Joined,
    /// Rows that cannot be read and records that fail are set aside, by the source and by an operator, and taken by sinks.
    SetAside,
    /// The same, kept beside the checkpoints.
    KeptAside,
    /// Counts by key in an operator whose new version migrates its state.
    Migrated,
    /// Windows in one operator, whose new version migrates what is kept in them, and timers in another: `TimedJob`.
    Timed,
}

/// What may be another at every start.
#[derive(Clone, Debug)]
pub struct Start {
    /// Of all steps but the first operator by key.
    pub parallelism: u32,
    /// Of that.
    pub keyed_parallelism: u32,
    /// Records without keys are dealt out in turn, and not as it comes.
    pub rebalance: bool,
    /// Lines of `[checkpoints]`.
    pub checkpoints: String,
    /// Records are read as fast as they can be.
    pub unlimited: bool,
    /// How often the job has gone back to a savepoint: it then writes elsewhere.
    pub segment: usize,
    /// The version of the plugin.
    pub version: u32,
    /// Of the whole job; the same at every start.
    pub max_parallelism: u32,
}

impl Topology {
    /// Writes what the job reads, below `in/`.
    pub fn write_input(self, bench: &Bench) {
        fs::create_dir_all(bench.path("in")).expect("a folder");
        let write = |name: String, text: String| fs::write(bench.path("in").join(name), text).expect("an input");
        match self {
            Self::Counted | Self::CountedTwice => {
                let line = |words: &[u64]| words.iter().map(|word| format!("word{word} ")).collect::<String>();
                let words: Vec<u64> = keys().collect();
                for (file, words) in words.chunks((RECORDS / FILES) as usize).enumerate() {
                    write(format!("{file}.txt"), words.chunks(3).map(|words| line(words) + "\n").collect());
                }
            }
            Self::Joined => {
                let flight = |(n, key): (usize, u64)| format!("N{key},T{n},UA,{n},EWR,IAH,NA\n");
                let flights: String = keys().enumerate().map(flight).collect();
                write("flights.csv".into(), format!("tailnum,time_hour,carrier,flight,origin,dest,arr_delay\n{flights}"));
                let planes: String = (0..PLANES).map(|n| format!("N{n},{},BOEING,737,{n}\n", 1960 + n)).collect();
                write("planes.csv".into(), format!("tailnum,year,manufacturer,model,seats\n{planes}"));
            }
            Self::SetAside | Self::KeptAside => {
                for file in 0..FILES {
                    let rows = words_with_faults().skip(file as usize).step_by(FILES as usize);
                    write(format!("{file}.csv"), format!("word\n{}\n", rows.collect::<Vec<_>>().join("\n")));
                }
            }
            Self::Timed => {
                let rows = TimedJob::rows(RECORDS);
                for file in 0..FILES {
                    // Side by side, so that none holds time back for long.
                    let rows: Vec<_> = rows.iter().copied().filter(|row| row.number % FILES == file).collect();
                    write(format!("{file}.csv"), TimedRow::HEADER.to_owned() + &TimedRow::text(&rows));
                }
            }
            Self::Migrated => {
                let rows: String = delays().map(|(key, delay)| format!("N{key},{delay}\n")).collect();
                write("0.csv".into(), format!("tailnum,arr_delay\n{rows}"));
            }
        }
    }

    /// The job file of a start.
    pub fn job_file(self, start: &Start) -> String {
        let Start { parallelism, max_parallelism, checkpoints, segment, .. } = start;
        let mut text =
            format!("name = \"words\"\nparallelism = {parallelism}\nmax-parallelism = {max_parallelism}\n[checkpoints]\n{checkpoints}\n");
        let source = |id: &str, path: &str, more: &str, rate: u64| {
            let rate = if start.unlimited { String::new() } else { format!("rate = {rate}\n") };
            format!("[source.{id}]\nconnector = \"file\"\npath = \"in/{path}\"\n{more}\n{rate}")
        };
        let keyed = |id: &str, package: &str, input: &str| {
            let more = format!("parallelism = {}\n", start.keyed_parallelism);
            format!("[operator.{id}]\nplugin = {:?}\n{input}\n{more}", plugin(package))
        };
        let sink = |id: &str, input: &str| {
            format!("[sink.{id}]\nconnector = \"file\"\ninput = \"{input}\"\npath = \"{}\"\n", folder(id, *segment))
        };
        let by = |from: &str| if start.rebalance { format!("{{ from = \"{from}\", by = \"rebalance\" }}") } else { format!("\"{from}\"") };
        let csv = "format = \"csv\"\nkey = \"tailnum\"";
        text += &match self {
            Self::Counted | Self::CountedTwice => {
                let split = format!("[operator.split]\nplugin = {:?}\ninput = {}\n", plugin("word-count-split"), by("lines"));
                let count = keyed("count", "word-count-count", "input = { from = \"split\", by = \"key\" }");
                let lines = source("lines", "*.txt", "format = \"lines\"", RECORDS / 6);
                let twice = format!("[operator.echo]\nplugin = {:?}\ninput = {{ from = \"count\", by = \"key\" }}\n", plugin("faulty"));
                if self == Self::Counted {
                    [lines, split, count, sink("out", "count")].concat()
                } else {
                    [lines, split, count, twice, sink("out", "echo")].concat()
                }
            }
            Self::Joined => {
                let inputs = "inputs = [{ from = \"flights\", by = \"key\" }, { from = \"planes\", by = \"key\" }]";
                let flights = source("flights", "flights.csv", csv, RECORDS / 2);
                let planes = source("planes", "planes.csv", csv, PLANES / 2);
                [flights, planes, keyed("count", "enrich", inputs), sink("out", "count")].concat()
            }
            Self::SetAside | Self::KeptAside => {
                let rows = source("rows", "*.csv", "format = \"csv\"\nkey = \"word\"\non-error = \"quarantine\"", RECORDS / 2);
                let input = "input = { from = \"rows\", by = \"key\" }\non-failure = \"quarantine\"";
                let taken = if self == Self::SetAside {
                    sink("bad", "rows.quarantine") + &sink("aside", "count.quarantine")
                } else {
                    String::new()
                };
                [rows, keyed("count", "faulty", input), sink("out", "count"), taken].concat()
            }
            Self::Migrated => {
                let package = if start.version == 1 { "flight-delays" } else { "flight-delays-v2" };
                let rows = source("rows", "*.csv", csv, RECORDS / 2);
                [rows, keyed("count", package, "input = { from = \"rows\", by = \"key\" }"), sink("out", "count")].concat()
            }
            Self::Timed => {
                let rows = source("rows", "*.csv", &format!("format = \"csv\"\nkey = \"key\"\n{}", TimedJob::time()), RECORDS / 2);
                let parallelism = format!("parallelism = {}\n", start.keyed_parallelism);
                let windows = TimedJob::windows("count", &self.component(start.version), &parallelism);
                let minutes = TimedJob::minutes(&plugin("trapping-timers"));
                [rows, windows, minutes, sink("out", "count"), sink("fired", "minutes")].concat()
            }
        };
        text
    }

    /// The component of the operator `count`, as a job file of this version has it.
    pub fn component(self, version: u32) -> PathBuf {
        match self {
            Self::Counted | Self::CountedTwice => plugin("word-count-count"),
            Self::Joined => plugin("enrich"),
            Self::SetAside | Self::KeptAside => plugin("faulty"),
            Self::Migrated if version == 1 => plugin("flight-delays"),
            Self::Migrated => plugin("flight-delays-v2"),
            Self::Timed if version == 1 => plugin("window-teller"),
            Self::Timed => examples("other-versions").join("window_teller_v2.wasm"),
        }
    }

    /// True where version 2 migrates what version 1 keeps.
    pub fn migrates(self) -> bool {
        matches!(self, Self::Migrated | Self::Timed)
    }

    /// A component on the same state as that of this version, which traps before half of the input has been worked off.
    pub fn trapping_component(self, version: u32) -> Option<PathBuf> {
        match self {
            Self::Counted | Self::CountedTwice => Some(plugin("trapping-count")),
            Self::Migrated if version == 2 => Some(plugin("trapping-delays")),
            Self::Timed if version == 1 => Some(examples("other-versions").join("trapping_windows.wasm")),
            Self::Migrated | Self::Timed | Self::Joined | Self::SetAside | Self::KeptAside => None,
        }
    }

    /// What the job commits, once each, with the sink's id in front.
    pub fn expected(self) -> Lines {
        let mut counts = vec![(0_u64, 0_i64); KEYS as usize];
        let mut count = |key: u64, delay: i64| {
            let (number, total) = &mut counts[key as usize];
            (*number, *total) = (*number + 1, *total + delay);
            (*number, *total)
        };
        let lines: Vec<String> = match self {
            Self::Timed => {
                let windows = TimedJob::told_by_windows(RECORDS).map(|line| format!("out {line}"));
                windows.chain(TimedJob::told_by_timers(RECORDS).map(|line| format!("fired {line}"))).collect()
            }
            Self::Counted => keys().map(|key| format!("out {{\"word\":\"word{key}\",\"count\":{}}}", count(key, 0).0)).collect(),
            Self::CountedTwice => {
                let line = |key: u64, n: u64| format!("out {{\"word\":\"word{key}\",\"count\":{n}}}#{n}");
                keys().map(|key| line(key, count(key, 0).0)).collect()
            }
            Self::Joined => keys().enumerate().filter(|(_, key)| *key < PLANES).map(|(n, key)| format!("out N{key} {n}")).collect(),
            Self::SetAside | Self::KeptAside => words_with_faults()
                .map(|word| match &*word {
                    word if word.contains(',') => format!("bad {word}"),
                    word if FAULTS.contains(&word) => format!("aside {word}"),
                    word => format!("out {word}#1"),
                })
                .collect(),
            Self::Migrated => {
                delays().map(|(key, delay)| (key, count(key, delay))).map(|(key, (n, total))| format!("out N{key} {n} {total}")).collect()
            }
        };
        lines.into_iter().fold(Lines::new(), |mut all, line| {
            *all.entry(line).or_default() += 1;
            all
        })
    }

    /// What is committed, over all segments, as [`Self::expected`] writes it.
    pub fn committed(self, bench: &Bench, segments: usize) -> Lines {
        let mut all = Lines::new();
        let mut add = |sink: &str, line: &str| *all.entry(format!("{sink} {}", self.said(sink, line))).or_default() += 1;
        let sinks: &[&str] = match self {
            Self::SetAside => &["out", "bad", "aside"],
            Self::Timed => &["out", "fired"],
            Self::Counted | Self::CountedTwice | Self::Joined | Self::KeptAside | Self::Migrated => &["out"],
        };
        for (sink, segment) in sinks.iter().flat_map(|sink| (0..=segments).map(move |segment| (sink, segment))) {
            bench.committed_in(&folder(sink, segment)).iter().for_each(|(line, times)| (0..*times).for_each(|_| add(sink, line)));
        }
        if self == Self::KeptAside {
            for (sink, step) in [("bad", "rows"), ("aside", "count")] {
                let kept = bench.storage().join("quarantine").join(step);
                let text: String = parts_in(kept).iter().map(|part| fs::read_to_string(part).expect("a part")).collect();
                text.lines().for_each(|line| add(sink, line));
            }
        }
        all
    }

    /// What a line says, without what depends on when it was said.
    fn said(self, sink: &str, line: &str) -> String {
        let json = || -> Value { serde_json::from_str(line).unwrap_or_else(|error| panic!("{sink}: {error}: {line}")) };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match (self, sink) {
            (Self::SetAside | Self::KeptAside, "bad" | "aside") => text(&json()["value"]),
            (Self::Joined, _) => format!("{} {}", text(&json()["tailnum"]), json()["flight"]),
            (Self::Migrated, _) => format!("{} {} {}", text(&json()["tailnum"]), json()["flights"], json()["total_delay"]),
            (Self::Timed, _) => TimedJob::told(line),
            (Self::Counted | Self::CountedTwice | Self::SetAside | Self::KeptAside, _) => line.to_owned(),
        }
    }

    /// The part of a line that is there also where records were worked off more than once.
    pub fn at_least(self, line: &str) -> &str {
        match self {
            Self::Counted | Self::Joined => line,
            Self::CountedTwice | Self::SetAside | Self::KeptAside | Self::Timed => line.split('#').next().unwrap_or(line),
            Self::Migrated => line.rsplit_once(' ').map_or(line, |(counted, _total)| counted),
        }
    }

    /// The line, of those that [`Self::at_least`] gives, that stands in front of `line` and counts one less; `None` where lines count nothing.
    pub fn one_less(self, line: &str) -> Option<String> {
        match self {
            Self::Counted | Self::CountedTwice | Self::Migrated => {
                let text = line.trim_end_matches('}');
                let (before, count) = text.split_at(text.trim_end_matches(|digit: char| digit.is_ascii_digit()).len());
                let count = count.parse::<u64>().ok()?.checked_sub(1)?;
                Some(format!("{before}{count}{}", &line[text.len()..]))
            }
            Self::Joined | Self::SetAside | Self::KeptAside | Self::Timed => None,
        }
    }
}

fn folder(sink: &str, segment: usize) -> String {
    let mut folder = sink.to_owned();
    if segment > 0 {
        write!(folder, "-{segment}").expect("a text can be written to");
    }
    folder
}

/// The parts in a folder of the storage. A kill may leave behind what was about to become one: its name ends in `#` and a number.
fn parts_in(folder: PathBuf) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect()
}

/// A fixed input: what varies is what is done to the job.
fn keys() -> impl Iterator<Item = u64> {
    let mut rng = fastrand::Rng::with_seed(7);
    (0..RECORDS).map(move |_| rng.u64(..KEYS))
}

fn delays() -> impl Iterator<Item = (u64, i64)> {
    let mut rng = fastrand::Rng::with_seed(11);
    keys().map(move |key| (key, rng.i64(-60..240)))
}

fn words_with_faults() -> impl Iterator<Item = String> {
    (0..RECORDS).map(|n| match n {
        n if n % BAD_ROW == 13 => format!("bad,{n}"),
        n if n % FAULT == 50 => FAULTS[(n / FAULT) as usize % FAULTS.len()].to_owned(),
        n => format!("v{n}"),
    })
}
