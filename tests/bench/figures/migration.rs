//! What it costs to go on under a plugin whose version keeps other state: all values are migrated before the first record.

use super::job::{Bench, Document, document, weir};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const KEYS: u64 = 1_000_000;

/// A job that has finished with a million aircraft in its state, and has a few more rows to read by now.
pub struct Aircraft {
    folder: TempDir,
    plugins: PathBuf,
    checkpoint: u64,
}

impl Aircraft {
    pub fn new(bench: &Bench) -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::create_dir(folder.path().join("data")).expect("a folder");
        write_rows(&folder.path().join("data/1.csv"), KEYS);
        let mut aircraft = Self { folder, plugins: bench.plugins.clone(), checkpoint: 0 };
        aircraft.checkpoint = document(&mut weir(&aircraft.job("flight_delays"))).last_checkpoint();
        write_rows(&aircraft.folder.path().join("data/2.csv"), 1_000);
        aircraft
    }

    /// Goes on from that state under a plugin. Process start to the first record, s.
    pub fn go_on(&self, plugin: &str) -> f64 {
        let mut command = weir(&self.job(plugin));
        document(command.args(["--from", &self.checkpoint.to_string(), "--again"])).first_record_s()
    }

    fn job(&self, plugin: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{plugin}.toml"));
        let component = self.plugins.join(format!("{plugin}.wasm"));
        let job = format!(
            "name = \"aircraft\"\nparallelism = 2\n[checkpoints]\nretain = 1000\n[source.flights]\nconnector = \"file\"\npath = \"data/*.csv\"\nformat = \"csv\"\nkey = \"tailnum\"\n\
             [operator.delays]\nplugin = {component:?}\ninput = {{ from = \"flights\", by = \"key\" }}\n[sink.nothing]\nconnector = \"blackhole\"\ninput = \"delays\"\n"
        );
        fs::write(&path, job).expect("a writable folder");
        path
    }
}

fn write_rows(path: &Path, rows: u64) {
    let mut text = "tailnum,arr_delay\n".to_owned();
    (0..rows).for_each(|row| writeln!(text, "N{row:07},{}", row % 60).expect("a text"));
    fs::write(path, text).expect("a writable folder");
}

impl Document {
    fn last_checkpoint(&self) -> u64 {
        let items = self.0["checkpoints"]["items"].as_array().expect("checkpoints");
        items.iter().filter_map(|item| item["id"].as_u64()).max().expect("a job ends with one")
    }
}
