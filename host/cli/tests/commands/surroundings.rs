//! What surrounds a run and is not its job: the environment, the terminal, the way a job file was saved, paths that cannot be written, settings at
//! their bounds. Each is worked with or refused by name; none brings the process down.

use super::{Bench, COUNT, LINES, text};
use std::fs;
use std::process::Stdio;

/// Lines of a file, through an operator, into a folder.
const COPY: &str = "name = \"copy\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
[source.in]
connector = \"file\"
path = \"in.txt\"
[operator.same]
native = \"pass-through\"
input = \"in\"
[sink.out]
connector = \"file\"
path = \"out\"
input = \"same\"
";

/// A folder with a job that copies the lines 1 to 1,000.
fn copying(job: &str) -> Bench {
    let bench = Bench::new(job);
    let lines: String = (1..=1_000).map(|number| format!("{number}\n")).collect();
    fs::write(bench.0.path().join("in.txt"), lines).expect("an input");
    bench
}

/// Fails unless every line has been copied once.
#[track_caller]
fn assert_copied(bench: &Bench) {
    let entries = fs::read_dir(bench.0.path().join("out")).expect("an output");
    let files = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    let mut numbers: Vec<u32> = files
        .flat_map(|path| fs::read_to_string(path).expect("text").lines().map(|line| line.parse().expect("a number")).collect::<Vec<_>>())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=1_000).collect::<Vec<_>>());
}

#[test]
fn a_run_needs_nothing_of_its_environment() {
    let bench = copying(COPY);
    let nothing = bench.command("run job.toml").env_clear().output().expect("weir runs");
    assert_eq!(nothing.status.code(), Some(0), "{}", text(&nothing.stderr));
    assert_copied(&bench);
    // Not even the superuser makes a folder below a file.
    for (name, value) in [("HOME", "in.txt/below"), ("LC_ALL", "tr_TR.ISO-8859-9"), ("TZ", "Nowhere/City"), ("COLUMNS", "0")] {
        let bench = copying(COPY);
        let home = bench.0.path().join(if name == "HOME" { value } else { "home" });
        let mut command = bench.command("run job.toml");
        command.env(name, value).env("HOME", &home);
        // What this user has elsewhere is left alone: a run looks for its registry and its cache in these first.
        ["WEIR_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"].iter().for_each(|other| _ = command.env_remove(other));
        let odd = command.output().expect("weir runs");
        assert_eq!(odd.status.code(), Some(0), "{name}={value}: {}", text(&odd.stderr));
        assert!(!odd.stderr.contains(&0x1b), "{name}={value}: escape sequences in a pipe");
        assert_eq!(home.join(".local/state/weir").is_dir(), name != "HOME", "{name}={value}: the registry is the run's own");
        assert_copied(&bench);
    }
}

#[test]
fn a_job_file_may_begin_with_a_byte_order_mark_and_end_its_lines_as_windows_does() {
    for (how, job) in [("a byte order mark", format!("\u{feff}{COPY}")), ("CR LF", COPY.replace('\n', "\r\n"))] {
        let bench = copying(&job);
        let run = bench.weir("run job.toml -q");
        assert_eq!(run.status.code(), Some(0), "{how}: {}", text(&run.stderr));
        assert_copied(&bench);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_said_on_standard_error_may_be_lost_and_the_job_goes_on() {
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").expect("there is such a device"));
    let gone = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        Stdio::from(writer)
    };
    for (how, stderr) in [("a full disk", full()), ("a reader that has gone", gone())] {
        let bench = copying(COPY);
        let run = bench.command("run job.toml").stderr(stderr).stdout(Stdio::null()).status().expect("weir runs");
        assert_eq!(run.code(), Some(0), "{how}");
        assert_copied(&bench);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_stdout_sink_on_a_full_disk_fails_the_run_by_name() {
    let bench = Bench::new(LINES);
    let input = bench.0.path().join("lines.txt");
    fs::write(&input, "one\ntwo\n").expect("an input");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("there is such a device");
    let input = fs::File::open(input).expect("an input");
    let run = bench.command("run job.toml -q").stdin(input).stdout(full).stderr(Stdio::piped()).output().expect("weir runs");
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stderr).contains("write to standard output: No space left on device"), "{}", text(&run.stderr));
}

#[test]
fn an_output_or_storage_that_cannot_be_written_is_named() {
    let check = |was: &str, is: &str, part: &str| {
        let bench = copying(&COPY.replace(was, is));
        let run = bench.weir("run job.toml -q");
        assert!(matches!(run.status.code(), Some(1 | 2)), "{is}: {run:?}");
        assert!(text(&run.stderr).contains(part), "{is}: {}", text(&run.stderr));
    };
    check("path = \"out\"", "path = \"in.txt\"", "in.txt is a file");
    check("path = \"out\"", "path = \"in.txt/below\"", "in.txt/below/.pending: Not a directory");
    check("interval = \"50ms\"", "storage = \"file:in.txt\"", "open checkpoint storage `file:in.txt`: File exists");
    check("path = \"out\"", "path = \"/proc/out\"", "/proc/out");
}

#[test]
fn settings_at_their_bounds_are_taken_or_refused_and_bring_nothing_down() {
    let check = |was: &str, is: &str, code: i32| {
        let run = Bench::new(&COUNT.replace(was, is)).weir("run job.toml -q");
        assert_eq!(run.status.code(), Some(code), "{is}: {}", text(&run.stderr));
        assert!(!text(&run.stderr).contains("panicked"), "{is}: {}", text(&run.stderr));
    };
    for (is, code) in [("0", 0), ("1", 0), ("-1", 2), ("18446744073709551615", 2), ("1.5", 2)] {
        check("count = 20_000", &format!("count = {is}"), code);
    }
    for (is, code) in [("9223372036854775807", 0), ("1e300", 0), ("0", 2), ("-3", 2), ("nan", 2), ("inf", 2)] {
        check("rate = 100_000", &format!("rate = {is}"), code);
    }
    for (is, code) in [("0", 2), ("1", 0), ("18446744073709551615", 2)] {
        check("keys = 100", &format!("keys = {is}"), code);
    }
    for (is, code) in [("19", 2), ("20", 0), ("4294967296", 2)] {
        check("keys = 100", &format!("payload-bytes = {is}"), code);
    }
    for (is, code) in [("0", 2), ("-1", 2), ("100000", 2), ("1.5", 2), ("\"2\"", 2), ("128", 0), ("5\nmax-parallelism = 4", 2)] {
        check("parallelism = 2", &format!("parallelism = {is}"), code);
    }
    for (is, code) in [("1", 0), ("32768", 0), ("0", 2), ("32769", 2)] {
        check("parallelism = 2", &format!("parallelism = 1\nmax-parallelism = {is}"), code);
    }
}
