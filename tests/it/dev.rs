//! `weir dev`: what is saved of a plugin takes over on the state as it is, what is no good is shown and the one before goes on, and what is saved of the job file holds.

use crate::WEIR;
use weir_tests::process::{Bench, Running, Signal, WordCount, plugin, write_variant};

/// A job that counts what `send` brings, whose plugin is "built" by copying what was "written".
struct Developed {
    bench: Bench,
    sent: u32,
    /// Bytes of what was said that have been heard.
    heard: usize,
}

impl Developed {
    fn new() -> Self {
        let bench = Bench::new(WEIR, WordCount::default());
        bench.write_job(
            "name = \"words\"\nparallelism = 1\n[checkpoints]\ninterval = \"100ms\"\n[source.words]\nconnector = \"file\"\npath = \"words.jsonl\"\nformat = \"jsonl\"\nkey = \"word\"\nfollow = true\n\
             [operator.count]\nplugin = \"count.wasm\"\nbuild = \"cp written.wasm count.wasm\"\nsources = [\"written.wasm\"]\ninput = { from = \"words\", by = \"key\" }\n\
             [sink.out]\nconnector = \"file\"\ninput = \"count\"\npath = \"out\"\n",
        );
        let developed = Self { bench, sent: 0, heard: 0 };
        developed.write(&std::fs::read(plugin("word-count-count")).expect("a component"));
        std::fs::write(developed.bench.path("words.jsonl"), "").expect("a file");
        developed
    }

    /// As an editor saves: beside it first.
    fn write(&self, bytes: &[u8]) {
        std::fs::write(self.bench.path("being-written"), bytes).expect("a file");
        std::fs::rename(self.bench.path("being-written"), self.bench.path("written.wasm")).expect("a file");
    }

    fn start(&self, line: &str) -> Running {
        self.bench.start(line)
    }

    /// A word comes, and is counted so often by now.
    fn send(&mut self, process: &mut Running) {
        use std::io::Write;
        self.sent += 1;
        let file = std::fs::OpenOptions::new().append(true).open(self.bench.path("words.jsonl"));
        file.and_then(|mut file| file.write_all(b"{\"word\":\"a\"}\n")).expect("it is written");
        let line = format!("{{\"word\":\"a\",\"count\":{}}}", self.sent);
        let is_there = || self.bench.parts().iter().any(|part| std::fs::read_to_string(part).is_ok_and(|text| text.contains(&line)));
        let runs = process.runs_until("a count", is_there);
        assert!(runs, "{}", process.said());
    }

    /// What is said on standard error comes to have this.
    fn says(&mut self, process: &mut Running, what: &str) {
        assert!(process.says(what, &mut self.heard), "no `{what}` in {}", process.said());
    }
}

#[test]
fn what_is_saved_takes_over_with_the_state_and_what_is_no_good_does_not() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);

    let variant = job.bench.path("variant.wasm");
    write_variant(&plugin("word-count-count"), &variant);
    job.write(&std::fs::read(&variant).expect("a component"));
    job.says(&mut process, "has taken over behind checkpoint");
    job.send(&mut process);

    job.write(b"no component");
    job.says(&mut process, "the job goes on as it was");
    job.send(&mut process);

    // Back to what it was when the job began.
    job.write(&std::fs::read(plugin("word-count-count")).expect("a component"));
    job.says(&mut process, "has taken over behind checkpoint");
    job.send(&mut process);

    job.bench.edit_job("parallelism = 1", "parallelism = 2");
    job.says(&mut process, "job.toml was saved");
    job.send(&mut process);
    job.bench.edit_job("parallelism = 2", "paralelism = 2");
    job.says(&mut process, "paralelism");
    job.says(&mut process, "the job goes on as it was");
    job.send(&mut process);

    process.send(Signal::Interrupt);
    process.ended().assert(0, &["stopping after a last checkpoint"]);
}

#[test]
fn states_that_would_be_lost_are_asked_about_or_given_up() {
    let other = std::fs::read(plugin("keyed-count")).expect("a component");
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    job.write(&other);
    job.says(&mut process, "does not go on with what is kept of count.occurrences; the one before it goes on");
    job.send(&mut process);
    process.send(Signal::Terminate);
    process.ended().assert(0, &["stopping after a last checkpoint"]);

    let mut process = job.start("dev job.toml --reset-state");
    job.heard = 0;
    // The plugin's file is the new one by now, and the run that goes on with it is refused.
    job.says(&mut process, "the job has failed");
    job.write(&std::fs::read(plugin("word-count-count")).expect("a component"));
    job.send(&mut process);
    job.write(&other);
    job.says(&mut process, "what is kept of count.occurrences is given up");
    job.says(&mut process, "resuming from checkpoint");
    process.send(Signal::Interrupt);
    process.ended().assert(0, &["stopping after a last checkpoint"]);
}

#[test]
fn a_job_whose_developer_is_killed_stops() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    assert!(process.kill());
    let running = || job.bench.run("jobs --output json").document()["jobs"].as_array().map_or(0, Vec::len);
    weir_tests::process::wait_until("nobody runs the job", || running() == 0);
    assert!(job.bench.log().completed.len() > 1, "it has stopped behind a last checkpoint");
}
