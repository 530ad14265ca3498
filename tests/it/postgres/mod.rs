//! PostgreSQL out, with the real server and its own `psql`. `conformance`: what every target promises; `held`: transactions that stay open; `once`: a server that goes, zombies and copies, and the
//! rows are there once and in order; `ordeal`: kills amid all that at once; `passwords`: who is let in; `quarantine`: records that are set aside; `refused`: what
//! is an error, and what it says; `rows`: what becomes of a record, type by type and key by key; `secured`: TLS; `silent`: a server that is there and says nothing;
//! `start`: what is looked at before a job begins, and by `weir check`.

mod conformance;
mod held;
mod once;
mod ordeal;
mod passwords;
mod quarantine;
mod refused;
mod rows;
mod secured;
mod silent;
mod start;

use crate::written::Written;
use std::collections::BTreeMap;
use weir_tests::process::{Bench, plugin};

/// A bench with a job of these steps that reads these lines.
fn bench(job: String, input: String) -> Bench<Written> {
    Written::bench_with(job, input)
}

/// A job that passes lines on to a table as they are, keyed by their field `k`. `of_sink`: what the sink says.
fn passing(url: &str, table: &str, of_sink: &str) -> String {
    let plugin = plugin("pass-through");
    format!(
        "name = \"words\"\n[checkpoints]\ninterval = \"50ms\"\n\
         [source.in]\nconnector = \"file\"\npath = \"input.jsonl\"\nformat = \"jsonl\"\nkey = \"k\"\n\
         [operator.pass]\nplugin = {plugin:?}\ninput = \"in\"\n\
         [sink.out]\nconnector = \"postgres\"\nurl = \"{url}\"\ntable = \"{table}\"\nmarker-table = \"{table}_markers\"\ninput = \"pass\"\n{of_sink}\n"
    )
}

/// Lines of a few keys.
fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| format!("{{\"k\":\"k{}\",\"n\":{number}}}\n", number % 7)).collect()
}

/// How often each key is in [`lines`].
fn counts(numbers: std::ops::Range<u64>) -> BTreeMap<String, u64> {
    numbers.fold(BTreeMap::new(), |mut counts, number| {
        *counts.entry(format!("k{}", number % 7)).or_default() += 1;
        counts
    })
}
