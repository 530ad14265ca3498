//! The pages of `host/docs` that are gone through step by step: what they say is typed, and what they show has to come.
//!
//! The words behind a block's three backticks say what it is:
//!
//! - `sh`: commands that are run to their end; `sh fails`: the last exits with another code than 0; `sh elsewhere: WHY`: commands that are not run, and why they cannot be here.
//! - `sh terminal`: a command of a second terminal, which goes on; Ctrl-C ends the one that ran there before.
//! - `text`: lines that the last commands have printed, in this order; `text terminal`: those that the second terminal comes to print; `text without`: those that
//!   `weir plugin build` prints where no compiler is on the path.
//! - Any other with a second word: the file of that name. A block of another kind, such as `toml`, shows how something is written, and is not looked at; one of no
//!   kind is not allowed, since a reader takes it for what is printed.
//!
//! `…` stands for anything in a line.

use crate::WEIR;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use weir_tests::process::{OciRegistry, has_toolchain, path_with, python_with_zig, write_zig};

/// Lines that a terminal may print before the one that is waited for: a job tells every three seconds how it is doing.
const LINES_MAX: usize = 200;
/// How long it may print nothing: what is built in Python takes minutes on a loaded machine, beside a job that tells how it is doing.
const PATIENCE: Duration = Duration::from_secs(600);

/// A block of a page.
pub(crate) struct Block {
    /// What it is called in messages.
    pub place: String,
    /// What language it is in.
    pub kind: String,
    /// What is done with it, or the file that it is.
    pub word: Option<String>,
    /// Its lines.
    pub text: String,
}

/// The blocks of a page, in order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(workspace().join("host/docs").join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), is_open) {
            (Some(info), false) => {
                let mut words = info.split(' ').map(str::to_owned);
                let (kind, word) = (words.next().unwrap_or_default(), words.next());
                blocks.push(Block { place: format!("{page}:{}", number + 1), kind, word, text: String::new() });
                is_open = true;
            }
            (Some(_), true) => is_open = false,
            (None, true) => blocks.last_mut().expect("one is open").text += &format!("{line}\n"),
            (None, false) => {}
        }
    }
    blocks
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

/// Whether a line has what is shown of it, whatever stands for `…`.
fn has(line: &str, shown: &str) -> bool {
    let mut rest = line;
    shown.trim().split('…').all(|part| {
        let found = rest.find(part);
        rest = &rest[found.map_or(0, |at| at + part.len())..];
        found.is_some()
    })
}

/// A process that goes on beside the commands, and what it prints.
struct Terminal {
    child: Child,
    lines: Receiver<String>,
}

impl Terminal {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a shell");
        let printed = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        let read = move || _ = printed.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok());
        std::thread::Builder::new().name("terminal".into()).spawn(read).expect("a thread");
        Self { child, lines }
    }

    /// Waits until it has printed all that is shown.
    fn comes_to_print(&self, block: &Block) {
        for shown in block.text.lines() {
            let mut printed = (0..LINES_MAX).map_while(|_| self.lines.recv_timeout(PATIENCE).ok()).inspect(|line| eprintln!("  {line}"));
            assert!(printed.any(|line| has(&line, shown)), "{}: the terminal does not print `{shown}`", block.place);
        }
    }

    /// What Ctrl-C does.
    fn interrupt(mut self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("the command `kill` is there");
        assert!(sent.success() && self.child.wait().expect("it ends").success(), "it stops cleanly");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Runs a shell to its end, which is waited for with patience, and ends what it has left running: a job that a block has begun and not come to stop.
/// Whether it ended well.
fn ends(shell: &mut Command) -> bool {
    let mut child = shell.process_group(0).spawn().expect("a shell");
    let group = format!("-{}", child.id());
    let end = move || _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    let (ended, ends) = mpsc::channel::<()>();
    let wait = move || {
        _ = ends.recv_timeout(PATIENCE);
        end();
    };
    let watch = std::thread::Builder::new().name("patience".into()).spawn(wait).expect("a thread");
    let status = child.wait().expect("it ends");
    drop(ended);
    watch.join().expect("it has ended what was left");
    status.success()
}

/// Who goes through a page, in a folder that is new.
struct Reader {
    folder: tempfile::TempDir,
    /// Where the next commands are run.
    here: PathBuf,
    path: OsString,
    /// What the last commands have printed.
    printed: String,
    terminal: Option<Terminal>,
    /// What stands in the pages for something that is another one here, and that.
    stands_for: Vec<(&'static str, String)>,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, programs) = (folder.path().to_owned(), folder.path().join("programs"));
        fs::create_dir(&programs).and_then(|()| symlink(WEIR, programs.join("weir"))).expect("a link");
        let path = path_with(&programs);
        Self { folder, here, path, printed: String::new(), terminal: None, stands_for: Vec::new() }
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        // What is compiled once of what the Rust SDK is built on serves all tests.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects");
        command.args(["-e", "-c", &format!("exec 2>&1\n{script}")]).current_dir(&self.here).stdin(Stdio::null()).env("PATH", &self.path);
        command.env("WEIR_HOME", self.folder.path().join("home")).env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true");
        command
    }

    fn run(&mut self, block: &Block) {
        let (left, printed) = (self.folder.path().join("left-in"), self.folder.path().join("printed"));
        let script = format!("{}pwd > '{}'\n", block.text, left.display());
        let succeeded = ends(self.shell(&script).stdout(fs::File::create(&printed).expect("a file")));
        self.printed = String::from_utf8_lossy(&fs::read(printed).expect("a file")).into_owned();
        eprintln!("{}{}", block.text, self.printed);
        assert_eq!(succeeded, block.word.is_none(), "{}: {}\n{}", block.place, block.text, self.printed);
        if succeeded {
            self.here = fs::read_to_string(left).expect("a folder's name").trim().into();
        }
    }

    fn reads(&mut self, block: &Block) {
        match (block.kind.as_str(), block.word.as_deref()) {
            ("sh", Some("terminal")) => {
                self.terminal.take().into_iter().for_each(Terminal::interrupt);
                self.terminal = Some(Terminal::start(self.shell(&format!("exec {}", block.text))));
            }
            ("sh", None | Some("fails")) => self.run(block),
            ("sh", Some("elsewhere:")) => {}
            ("text", Some("terminal")) => self.terminal.as_ref().expect("a second terminal").comes_to_print(block),
            ("text", None) => is_printed(block, &self.printed),
            ("text", Some("without")) => {
                let without = self.as_it_came(|| {
                    self.shell("weir plugin build").env("PATH", self.folder.path().join("programs")).output().expect("a shell")
                });
                assert!(!without.status.success(), "{}: it is built", block.place);
                is_printed(block, &String::from_utf8_lossy(&without.stdout));
            }
            ("", _) => panic!("{}: it does not say what it is", block.place),
            (_, Some(file)) => fs::write(self.here.join(file), &block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place)),
            (_, None) => {}
        }
    }

    /// What comes of `work` in the project as it was made, without what its build has fetched.
    fn as_it_came<T>(&self, work: impl FnOnce() -> T) -> T {
        let fetched = ["node_modules", ".venv"].map(|name| (self.here.join(name), self.here.join(format!("{name}-aside"))));
        let aside: Vec<_> = fetched.iter().filter(|(there, aside)| fs::rename(there, aside).is_ok()).collect();
        let done = work();
        aside.into_iter().for_each(|(there, aside)| fs::rename(aside, there).expect("it goes back"));
        done
    }

    fn goes_through(&mut self, page: &str) {
        let mut blocks = blocks(page);
        for (written, meant) in &self.stands_for {
            blocks.iter_mut().for_each(|block| block.text = block.text.replace(written, meant));
        }
        assert!(blocks.iter().any(|block| block.kind == "sh"), "{page} has no commands");
        blocks.iter().for_each(|block| self.reads(block));
    }
}

#[track_caller]
fn is_printed(block: &Block, printed: &str) {
    let mut lines = printed.lines();
    let missing = block.text.lines().find(|shown| !lines.any(|line| has(line, shown)));
    assert_eq!(missing, None, "{}: it is not printed, or not there:\n{printed}", block.place);
}

/// Goes through a language's page where its compiler is there.
fn first_operator_in(language: &str) {
    if language == "rust" || has_toolchain(language) {
        Reader::new().goes_through(&format!("first-operator-{language}.md"));
    }
}

#[test]
fn the_page_of_a_first_operator_in_rust_is_right() {
    first_operator_in("rust");
}

#[test]
fn the_page_of_a_first_operator_in_c_is_right() {
    first_operator_in("c");
}

#[test]
fn the_page_of_a_first_operator_in_go_is_right() {
    first_operator_in("go");
}

#[test]
fn the_page_of_a_first_operator_in_javascript_is_right() {
    first_operator_in("javascript");
}

#[test]
fn the_page_of_a_first_operator_in_python_is_right() {
    first_operator_in("python");
}

#[test]
fn the_page_on_another_language_is_right() {
    let Some(python) = python_with_zig() else { return };
    let mut reader = Reader::new();
    write_zig(&python, &reader.folder.path().join("programs"));
    let (from, to) = (workspace().join("plugins/word-count"), reader.here.join("plugins/word-count"));
    fs::create_dir_all(to.join("zig")).expect("a folder");
    for file in ["count.test.toml", "job.toml", "zig/count.zig", "zig/world.zig", "zig/job.toml"] {
        fs::copy(from.join(file), to.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    reader.goes_through("another-language.md");
}

#[test]
fn the_page_on_plugins_in_a_registry_is_right() {
    let Some(registry) = OciRegistry::start().filter(|_| has_toolchain("c")) else { return };
    let mut reader = Reader::new();
    let made = reader.shell("weir plugin new count --language rust -q").status().expect("a shell");
    assert!(made.success());
    reader.here = reader.here.join("count");
    reader.stands_for = vec![("ghcr.io", registry.host()), ("localhost:5000", registry.host())];
    reader.goes_through("packaging.md");
}

#[test]
fn the_quickstart_is_right() {
    Reader::new().goes_through("quickstart.md");
}

#[test]
fn the_page_on_how_it_works_is_right() {
    Reader::new().goes_through("concepts.md");
}

#[test]
fn the_page_on_operations_is_right() {
    Reader::new().goes_through("operations.md");
}

#[test]
fn the_page_on_what_lies_where_is_right() {
    Reader::new().goes_through("formats.md");
}

#[test]
fn the_page_of_troubles_is_right() {
    Reader::new().goes_through("troubleshooting.md");
}

#[test]
fn the_page_of_troubles_of_a_job_that_runs_is_right() {
    Reader::new().goes_through("troubleshooting-running.md");
}

#[test]
fn the_page_for_those_who_come_from_flink_is_right() {
    Reader::new().goes_through("from-flink.md");
}

#[test]
fn the_page_for_those_who_come_from_kafka_streams_is_right() {
    Reader::new().goes_through("from-kafka-streams.md");
}

#[test]
fn what_a_block_has_begun_ends_with_it() {
    let (mut printed, into) = std::io::pipe().expect("a pipe");
    let reader = Reader::new();
    let mut shell = reader.shell("(sleep 10; echo it goes on) & false");
    assert!(!ends(shell.stdout(into)));
    drop(shell);
    assert_eq!(std::io::read_to_string(&mut printed).expect("a text"), "", "it is ended, and not waited for");
}

#[test]
fn what_is_shown_stands_for_what_is_printed() {
    assert!(has("weir: count: built, behind checkpoint 12", "count: … checkpoint …"));
    assert!(has("  ok      a", "  ok      a") && has("anything", "…"));
    assert!(!has("checkpoint 12, count", "count … checkpoint") && !has("", "a"));
}
