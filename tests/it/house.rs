//! How the project is written, as far as a machine can hold it: comments of whole sentences, files and pages that stay readable.

use crate::architecture::{sources, workspace};
use std::fs;
use std::path::PathBuf;

/// Lines of a Rust file at most: one that would have more holds two subjects.
const FILE_LINES: usize = 400;
/// Lines of the front page at most: what would be more has a page in `host/docs`.
const README_LINES: usize = 110;

/// The interface that plugins are built on: its comments are what every SDK says of it.
fn interface() -> (String, String) {
    let path = "wit/operator.wit";
    (path.into(), fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}")))
}

/// Every Rust file of the project with its path from the workspace's root and its text.
fn rust_files() -> Vec<(String, String)> {
    let root = workspace();
    let mut paths: Vec<PathBuf> = Vec::new();
    ["host", "guest-sdk", "plugins", "tests"].iter().for_each(|folder| sources(&root.join(folder), &mut paths));
    assert!(paths.len() > 500, "{} files", paths.len());
    let named = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.strip_prefix(&root).expect("below the root").display().to_string(), text)
    };
    paths.into_iter().map(named).collect()
}

/// The doc comments in `text` that are no sentences of their own, each with its line: they go on from another item's, or go on in the next one's.
fn fragments(text: &str) -> Vec<(usize, &str)> {
    let comment = |line: &&str| line.trim_start().strip_prefix("///").map(str::trim).is_some();
    let lines: Vec<&str> = text.lines().collect();
    let said = |line: usize| lines[line].trim_start().trim_start_matches('/').trim();
    let begins = |line: &usize| comment(&lines[*line]) && (*line == 0 || !comment(&lines[line - 1]));
    let ends = |line: &usize| comment(&lines[*line]) && lines.get(line + 1).is_none_or(|next| !comment(next));
    let all = 0..lines.len();
    let goes_on = |line: &usize| begins(line) && said(*line).starts_with(|first: char| first.is_lowercase() || first == '…');
    let is_gone_on_from = |line: &usize| ends(line) && said(*line).ends_with([',', ';', '…']);
    all.filter(|line| goes_on(line) || is_gone_on_from(line)).map(|line| (line + 1, said(line))).collect()
}

#[test]
fn every_doc_comment_is_whole_sentences_about_its_own_item() {
    let of = |(path, text): &(String, String)| {
        fragments(text).into_iter().map(|(line, said)| format!("{path}:{line}: {said}")).collect::<Vec<_>>()
    };
    let wrong: Vec<String> = rust_files().iter().chain([&interface()]).flat_map(of).collect();
    assert!(wrong.is_empty(), "doc comments that run on over several items:\n{}", wrong.join("\n"));
}

#[test]
fn a_comment_that_runs_on_is_seen_at_both_ends() {
    let two =
        "/// The checkpoint,\nid: u64,\n    /// and why it is taken.\n    why: String,\n/// A whole one,\n/// over two lines.\nlast: u8,\n";
    assert_eq!(fragments(two), [(1, "The checkpoint,"), (3, "and why it is taken.")]);
    assert_eq!(fragments("/// Entries …\na: u8,\n/// … and their values.\nb: u8,\n").len(), 2);
    assert_eq!(fragments("//! `weir run`: a job,\n//! whole.\n// then this\n/// `a` of `b`.\nfn f() {}\n"), []);
}

#[test]
fn no_rust_file_outgrows_its_subject() {
    let long: Vec<String> = rust_files()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "more than {FILE_LINES} lines, split them by subject:\n{}", long.join("\n"));
}

#[test]
fn the_readme_is_a_front_page() {
    let lines = fs::read_to_string(workspace().join("README.md")).expect("the front page").lines().count();
    assert!(lines <= README_LINES, "{lines} lines: what is more belongs on a page in host/docs");
}

/// Whether the subjects of commits, one a line, are as `.ci/run` wants them.
fn are_subjects(lines: &str) -> bool {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut command = Command::new("bash");
    command.arg(workspace().join(".ci/subjects")).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("bash runs");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("read");
    child.wait().expect("it ends").success()
}

#[test]
fn the_subject_of_a_commit_begins_with_a_room_and_is_short() {
    let cli = |characters: usize| format!("cli: {}\n", "é".repeat(characters - "cli: ".len()));
    assert!(are_subjects("cli: a plain one\ntask, checkpoint: of two rooms\nguest-sdk: x\n"));
    assert!(are_subjects(&cli(72)) && !are_subjects(&cli(73)));
    for wrong in ["Merge the rest of that work\n", "cli:close\n", "CLI: loud\n", ": nowhere\n", "cli: fine\nno room\ncli: fine\n"] {
        assert!(!are_subjects(wrong), "{wrong}");
    }
    let run = fs::read_to_string(workspace().join(".ci/run")).expect("a script");
    assert!(run.contains("git log --format=%s \"$subjects_since..HEAD\" | .ci/subjects"), "it is what has to pass");
}
