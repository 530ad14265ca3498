//! The SDK's joins that keep rows of two inputs, under the real binary over kills, other parallelisms and barriers that overtake: of rows whose times are near, of all
//! rows of a key, and with left rows that are alone. Beside them stands a plain computation of all pairs.

use crate::WEIR;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use weir_tests::process::{Bench, Seed, WordCount, plugin};

const ROWS: u64 = 900;
const KEYS: u64 = 60;
/// 2013-01-01T10:00:00Z.
const FIRST: i64 = 1_357_034_400_000;
/// A row comes less than so many seconds late.
const DISORDER: i64 = 60;
/// Rows in a second while processes are killed: different ones, so that now the one and now the other of a pair comes first.
const RATES: [u64; 2] = [150, 100];
/// How far a right row may be behind a left one, ms, as `joined-rows` has it.
const WITHIN: std::ops::RangeInclusive<i64> = -60_000..=120_000;

struct Row {
    name: String,
    key: u64,
    time: i64,
}

/// The rows of a side, nearly in order. Some keys are of one side alone.
fn rows(side: char) -> Vec<Row> {
    let (seed, first_key) = if side == 'L' { (43, 0) } else { (47, KEYS / 6) };
    let mut rng = fastrand::Rng::with_seed(seed);
    let time = |row: u64, rng: &mut fastrand::Rng| FIRST + (row as i64 - rng.i64(0..DISORDER)) * 1_000;
    (0..ROWS).map(|row| Row { name: format!("{side}{row}"), key: first_key + rng.u64(..KEYS), time: time(row, &mut rng) }).collect()
}

fn bench(checkpoints: &str) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let mut job = format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
{checkpoints}
[operator.joined]
plugin = {:?}
inputs = [{{ from = \"left\", by = \"key\", to = \"left\" }}, {{ from = \"right\", by = \"key\", to = \"right\" }}]
[sink.out]
connector = \"file\"
input = \"joined\"
path = \"out\"
",
        plugin("joined-rows")
    );
    for (input, side, rate) in [("left", 'L', RATES[0]), ("right", 'R', RATES[1])] {
        let mut text = "key,at,name\n".to_owned();
        rows(side).iter().for_each(|Row { name, key, time }| writeln!(text, "{key},{time},{name}").expect("a text"));
        fs::write(bench.path(&format!("{input}.csv")), text).expect("an input");
        write!(
            job,
            "[source.{input}]
connector = \"file\"
path = \"{input}.csv\"
format = \"csv\"
key = \"key\"
timestamp = {{ field = \"at\", format = \"unix-ms\" }}
watermark = {{ delay = \"{DISORDER}s\" }}
rate = {rate}
"
        )
        .expect("a text");
    }
    bench.write_job(&job);
    bench
}

/// Pairs of a left and a right row.
type Pairs = BTreeSet<(String, String)>;

/// All pairs of rows with the same key that `goes` holds of: of how far the right one is behind the left one.
fn pairs(goes: impl Fn(i64) -> bool) -> Pairs {
    let right = rows('R');
    let of = |left: &Row| {
        let with = right.iter().filter(|right| right.key == left.key && goes(right.time - left.time));
        with.map(|right| (left.name.clone(), right.name.clone())).collect::<Vec<_>>()
    };
    rows('L').iter().flat_map(of).collect()
}

/// What was said, by the join that said it: a pair, which is no pair where a left row is alone, and whether the left row of it had been said to be alone.
fn said(bench: &Bench) -> BTreeMap<String, BTreeMap<(String, String), bool>> {
    let mut said: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
    for (line, times) in bench.committed() {
        let parts: Vec<&str> = line.split(' ').collect();
        let (join, left, right, was_alone) = match parts[..] {
            [join, left, right] => (join, left, right, false),
            [join, left, right, "!"] => (join, left, right, true),
            _ => panic!("{line}: no pair"),
        };
        let before = said.entry(join.to_owned()).or_default().insert((left.to_owned(), right.to_owned()), was_alone);
        assert!(times == 1 && before.is_none(), "twice: {line}");
    }
    said
}

#[test]
fn rows_are_joined_once_over_kills_and_other_parallelisms_as_a_plain_computation_joins_them() {
    for checkpoints in ["", "unaligned = \"always\""] {
        let bench = bench(checkpoints);
        bench.kill_at_parallelisms(&mut Seed::of_run(), &[3, 1, 2]);
        RATES.iter().for_each(|rate| bench.edit_job(&format!("rate = {rate}\n"), "rate = 1000000\n"));
        bench.run("run job.toml").assert(0, &["resuming from checkpoint", "finished"]);
        bench.assert_nothing_pending();
        let kept = bench.run("state scan job.toml joined --format jsonl -q");
        assert!(kept.stdout.contains("inner_left") && !kept.stdout.contains("timed_"), "rows are kept that nothing goes with any more");
        let mut said = said(&bench);
        let mut of = |join: &str| said.remove(join).unwrap_or_default();
        let (near, all) = (pairs(|behind| WITHIN.contains(&behind)), pairs(|_| true));
        assert!(!near.is_empty() && near.len() < all.len() / 2, "{} of {} are near", near.len(), all.len());
        assert_eq!(of("interval").into_keys().collect::<Pairs>(), near);
        assert_eq!(of("inner").into_keys().collect::<Pairs>(), all);
        check_left(&of("left"), all);
    }
}

/// Each pair is there, and each left row that is in none is said to be alone; one that is in some may have been said to be, and then one of them takes that back.
#[track_caller]
fn check_left(said: &BTreeMap<(String, String), bool>, all: Pairs) {
    let is_pair = |(_, right): &&(String, String)| right != "-";
    assert_eq!(said.keys().filter(is_pair).cloned().collect::<Pairs>(), all);
    let alone: BTreeSet<&String> = said.keys().filter(|pair| !is_pair(pair)).map(|(left, _)| left).collect();
    let taken_back: Vec<&String> = said.iter().filter(|(_, was_alone)| **was_alone).map(|((left, _), _)| left).collect();
    let joined: BTreeSet<&String> = all.iter().map(|(left, _)| left).collect();
    let names: Vec<String> = rows('L').into_iter().map(|row| row.name).collect();
    for name in &names {
        let times = taken_back.iter().filter(|left| **left == name).count();
        let expect = usize::from(joined.contains(name) && alone.contains(name));
        assert_eq!(times, expect, "{name} was said to be alone: {}", alone.contains(name));
        assert!(joined.contains(name) || alone.contains(name), "{name} is not told of");
    }
    assert!(!taken_back.is_empty() && taken_back.len() < alone.len(), "{} of {}", taken_back.len(), alone.len());
}
