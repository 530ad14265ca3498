//! Job files that chance has changed are understood, or refused with a place in the file. `WEIR_CHANCE` says how many are tried.

use super::*;

/// Files whose parts go into each other.
const FILES: [&str; 3] = [
    GOOD,
    r#"
name = "j"
parallelism = 4
max-parallelism = 64
[checkpoints]
storage = "s3://bucket/prefix"
interval = "1s"
mode = "at-least-once"
unaligned = "200ms"
[restart]
strategy = "fixed"
delay = "1s"
[source.in]
connector = "generator"
count = 10
rate = 2.5e3
watermark = { delay = "5s", idle-after = "never" }
[operator.sessions]
plugin = "a.wasm"
was = "older"
config = { deep = [1, 2.5, "x", { y = true }] }
on-failure = "quarantine"
window = { session = "30m", lateness = "1h", emit = { every = "1m" } }
limits = { memory = "64MiB", fuel-per-record = 1000, compile = { time = "5s" } }
inputs = [{ from = "in", by = "key", to = "a" }, "in"]
[sink.out]
connector = "stdout"
input = "sessions.late"
"#,
    "name = \"x\"\n[source.\"é\"]\nconnector = '''\nfile'''\n[operator.a]\nnative = \"keyed-count\"\ninput = \"a\"\nwindow = { hopping = \"1h\", every = \"1m\", offset = \"-2h\" }\n",
];

/// Words of job files and of TOML.
const WORDS: [&str; 16] = [
    "\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    "\n",
    "-1",
    "9223372036854775808",
    "\"0B\"",
    "\"99999999999h\"",
    "window",
    "limits",
    "inf",
    "[operator.b]\n",
    "\u{202e}",
];

fn by_chance(rng: &mut Chance) -> String {
    let mut text = FILES[rng.below(FILES.len())].to_owned();
    let place = |text: &str, rng: &mut Chance| {
        let at = rng.below(text.len() + 1);
        (at..=text.len()).find(|at| text.is_char_boundary(*at)).expect("the end is one")
    };
    for _ in 0..1 + rng.below(4) {
        let (one, other) = (place(&text, rng), place(&text, rng));
        let range = one.min(other)..one.max(other).min(one.min(other) + 40);
        let range = range.start..(range.end..=text.len()).find(|at| text.is_char_boundary(*at)).expect("the end is one");
        match rng.below(4) {
            0 => text.replace_range(range, ""),
            1 => text.insert_str(range.start, WORDS[rng.below(WORDS.len())]),
            2 => text.replace_range(range, WORDS[rng.below(WORDS.len())]),
            _ => {
                let again = text[range.clone()].to_owned();
                text.insert_str(place(&text, rng), &again);
            }
        }
    }
    text
}

/// Numbers from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

#[test]
fn job_files_by_chance_are_understood_or_refused() {
    let count = std::env::var("WEIR_CHANCE").ok().and_then(|count| count.parse().ok()).unwrap_or(3_000);
    let mut refused = 0;
    for seed in 0..count {
        let text = by_chance(&mut Chance(seed));
        let read = std::panic::catch_unwind(|| parsed(&text).map(drop).map_err(|error| error.to_string()));
        let read = read.unwrap_or_else(|_| panic!("seed {seed} panics:\n{text}"));
        if let Err(error) = read {
            assert!(error.starts_with("job.toml"), "seed {seed}: {error}\n{text}");
            refused += 1;
        }
    }
    assert!(refused > count / 10 && refused < count, "{refused} of {count} are refused: chance does not reach far");
}
