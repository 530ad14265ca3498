//! The same operators in every language: processor time of whole jobs, source and exchange included, by record.
//!
//! Each runs on few records besides, whose time (start, the plugin's code, its interpreter) is taken off.

use super::job::{Document, document, weir};
use super::statistics::{row, spread};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use weir_tests::process::{has_toolchain, plugin, plugin_in, word_count_in};

const WEIR: &str = env!("CARGO_BIN_EXE_weir-under-test");
/// Rows of the file of flights.
const JANUARY: u64 = 27_004;

/// One operator in one language.
pub struct Written {
    language: &'static str,
    component: PathBuf,
    times: Vec<f64>,
}

/// An operator, and how its job is fed so many records.
pub struct Example {
    pub name: &'static str,
    pub component: fn(&str) -> PathBuf,
    pub source: fn(&Path, u64) -> String,
    /// Records for compiled languages, and for interpreters.
    pub records: [u64; 2],
    pub few: u64,
}

/// The example that other engines are held against.
pub const COUNT: Example = Example {
    name: "word-count's count, 100,000 keys",
    component: |language| word_count_in(language, WEIR),
    source: words,
    records: [10_000_000, 500_000],
    few: 1_000,
};

const EXAMPLES: [Example; 2] =
    [COUNT, Example { name: "flight-delays", component: delays_in, source: flights, records: [40 * JANUARY, 4 * JANUARY], few: JANUARY }];

/// Microseconds of processor time by record, in each language whose compiler is here, in turn.
pub fn languages(rounds: usize) {
    for example in EXAMPLES {
        let mut all = example.written_in(&["rust", "c", "go", "javascript", "python"]);
        for _ in 0..rounds {
            all.iter_mut().for_each(|written| written.times.push(example.us_per_record(written, Document::cpu_s)));
        }
        let ratios = |written: &Written| written.times.iter().zip(&all[0].times).map(|(time, rust)| time / rust).collect::<Vec<_>>();
        for written in &all {
            let size = fs::metadata(&written.component).map_or(0, |file| file.len());
            row(&format!("{}, {} ({} kB): us a record", example.name, written.language, size / 1_000), &spread(&written.times));
            row(&format!("{}, {} / rust", example.name, written.language), &spread(&ratios(written)));
        }
    }
}

impl Example {
    /// It in those of these languages whose compiler is here.
    pub fn written_in(&self, languages: &[&'static str]) -> Vec<Written> {
        let here = languages.iter().filter(|language| **language == "rust" || has_toolchain(language));
        here.map(|language| Written { language, component: (self.component)(language), times: Vec::new() }).collect()
    }

    /// Microseconds by record, of the seconds that `took` finds in a run's document.
    pub fn us_per_record(&self, written: &Written, took: fn(&Document) -> f64) -> f64 {
        let records = self.records[usize::from(["javascript", "python"].contains(&written.language))];
        let [all, few] = [records, self.few].map(|records| took(&self.run(&written.component, records)));
        (all - few) * 1e6 / (records - self.few) as f64
    }

    fn run(&self, component: &Path, records: u64) -> Document {
        let folder = TempDir::new().expect("a folder");
        let source = (self.source)(folder.path(), records);
        let job = format!(
            "name = \"languages\"\nparallelism = 1\n[checkpoints]\ninterval = \"1h\"\n[source.records]\n{source}\
             [operator.op]\nplugin = {component:?}\nlimits = {{ memory = \"1GiB\" }}\ninput = {{ from = \"records\", by = \"key\" }}\n[sink.nothing]\nconnector = \"blackhole\"\ninput = \"op\"\n"
        );
        let path = folder.path().join("job.toml");
        fs::write(&path, job).expect("a writable folder");
        document(&mut weir(&path))
    }
}

fn words(_: &Path, records: u64) -> String {
    format!("connector = \"generator\"\ncount = {records}\nkeys = 100000\n")
}

/// Copies of the file of January's flights.
fn flights(folder: &Path, records: u64) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/flight-delays/data/flights-2013-01.csv.gz");
    (0..records / JANUARY).for_each(|copy| _ = fs::copy(&file, folder.join(format!("{copy}.csv.gz"))).expect("the flights"));
    "connector = \"file\"\npath = \"*.csv.gz\"\nformat = \"csv\"\nkey = \"tailnum\"\ntimestamp = \"time_hour\"\n".to_owned()
}

fn delays_in(language: &str) -> PathBuf {
    let (folder, source) = match language {
        "rust" => return plugin("flight-delays"),
        "c" => ("c", "delays.c"),
        "go" => ("go", "."),
        "javascript" => ("js", "delays.js"),
        "python" => ("python", "delays.py"),
        other => panic!("no language `{other}`"),
    };
    plugin_in(language, WEIR, &format!("plugins/flight-delays/{folder}"), source)
}

impl Document {
    pub fn cpu_s(&self) -> f64 {
        self.0["cpu_s"].as_f64().expect("a run takes time")
    }
}
