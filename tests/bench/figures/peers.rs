//! word-count's count in Python, in weir and in other engines that run Python, in turn. An engine is run where its variable names the interpreter of a
//! virtual environment that has it.

use super::job::Document;
use super::languages::{COUNT, Example};
use super::statistics::{row, spread};
use std::path::Path;
use std::process::Command;

/// Another engine: how it is run, and what is compared.
struct Peer {
    name: &'static str,
    /// The environment variable with its interpreter.
    variable: &'static str,
    example: Example,
    /// What of a run of weir stands beside its figure.
    took: fn(&Document) -> f64,
    /// Microseconds by record, of so many records, with this interpreter.
    us_per_record: fn(&str, &Example) -> f64,
}

const PEERS: [Peer; 2] = [
    Peer {
        name: "Bytewax, processor time",
        variable: "WEIR_BYTEWAX_PYTHON",
        example: COUNT,
        took: Document::cpu_s,
        us_per_record: bytewax,
    },
    Peer {
        name: "PyFlink, by the clock",
        variable: "WEIR_PYFLINK_PYTHON",
        // With more keys its worker asks the JVM for each that it has not seen.
        example: Example { name: "word-count's count, 1,000 keys", source: words_of_few_keys, ..COUNT },
        took: Document::wall_s,
        us_per_record: pyflink,
    },
];

/// Microseconds by record of weir and of each engine that is here, in turn, and how many times weir's records per second are the other's.
pub fn peers(rounds: usize) {
    for peer in PEERS {
        let Ok(python) = std::env::var(peer.variable) else {
            println!("  {}: not run, {} does not name the Python that has it", peer.name, peer.variable);
            continue;
        };
        for written in peer.example.written_in(&["python"]) {
            let (mut own, mut others) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                own.push(peer.example.us_per_record(&written, peer.took));
                others.push((peer.us_per_record)(&python, &peer.example));
            }
            let ratios: Vec<f64> = others.iter().zip(&own).map(|(other, own)| other / own).collect();
            row(&format!("{}: weir, us a record", peer.example.name), &spread(&own));
            row(&format!("{}: us a record", peer.name), &spread(&others));
            row(&format!("{} / weir", peer.name), &spread(&ratios));
        }
    }
}

/// What it takes without making the records.
fn bytewax(python: &str, example: &Example) -> f64 {
    let said = run(python, "bytewax_count.py", example.records[1]);
    number(said.split(", ").nth(1).expect("two figures"))
}

fn pyflink(python: &str, example: &Example) -> f64 {
    let [all, few] = [example.records[1], example.few].map(|records| number(&run(python, "pyflink_count.py", records)));
    (all - few) * 1e6 / (example.records[1] - example.few) as f64
}

/// The number that a text begins with.
fn number(text: &str) -> f64 {
    text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{text:?} begins with no number"))
}

fn run(python: &str, script: &str, records: u64) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/python").join(script);
    let output = Command::new(python).arg(script).arg(records.to_string()).output().unwrap_or_else(|error| panic!("{python}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn words_of_few_keys(_: &Path, records: u64) -> String {
    format!("connector = \"generator\"\ncount = {records}\nkeys = 1000\n")
}
