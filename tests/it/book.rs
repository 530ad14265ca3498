//! The book in `host/docs`, as far as it can be judged by reading it: every page is in its table of contents, what pages refer to is there, and whoever shows
//! a command has it run by a test, or says why it cannot be.

use crate::WEIR;
use crate::architecture::workspace;
use crate::pages::{Block, blocks};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pages outside the book whose links are looked at, too.
const BESIDE_IT: [&str; 3] = ["README.md", "CONTRIBUTING.md", "host/ARCHITECTURE.md"];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn book() -> PathBuf {
    workspace().join("host/docs")
}

/// The names of the files of a folder of the book that end so.
fn names(folder: &str, end: &str) -> BTreeSet<String> {
    let listed = fs::read_dir(book().join(folder)).expect("a folder of the book");
    listed.map(|entry| entry.expect("an entry").file_name().into_string().expect("a text")).filter(|name| name.ends_with(end)).collect()
}

/// The lines of a page that are not inside a block of code, with code within a line taken out.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence && !line.starts_with("    ") {
            prose.extend(line.split('`').step_by(2));
        }
        prose.push('\n');
    }
    prose
}

/// What the links and pictures of a page lead to.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()));
    targets.filter(|target| !target.contains("://")).collect()
}

/// The names by which a page's headings are linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut is_code = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let Some((marks, heading)) = line.split_once(' ').filter(|_| !is_code) else { continue };
        if marks.is_empty() || marks.chars().any(|mark| mark != '#') {
            continue;
        }
        let kept = heading
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
            .collect::<String>();
        let anchor = kept.trim().replace(' ', "-");
        let again = seen.entry(anchor.clone()).or_default();
        anchors.insert(if *again == 0 { anchor } else { format!("{anchor}-{again}") });
        *again += 1;
    }
    anchors
}

/// Why a link of the page at `page` leads nowhere; `None`: it does not.
fn leads_nowhere(page: &Path, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { page.to_owned() } else { page.parent().expect("a folder").join(file) };
    if !path.exists() {
        return Some(format!("{}: there is no {target}", page.display()));
    }
    let anchor = anchor?;
    (!anchors(&read(&path)).contains(anchor)).then(|| format!("{}: {file} has no heading `{anchor}`", page.display()))
}

#[test]
fn every_page_is_in_the_book_once() {
    let mut listed = links(&read(&book().join("SUMMARY.md")));
    listed.sort();
    let pages: Vec<String> = names("", ".md").into_iter().filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(listed, pages, "host/docs/SUMMARY.md is the table of contents");
}

#[test]
fn what_pages_refer_to_is_there() {
    let pages = names("", ".md").into_iter().map(|name| book().join(name)).chain(BESIDE_IT.map(|page| workspace().join(page)));
    let of = |page: PathBuf| links(&read(&page)).into_iter().filter_map(move |target| leads_nowhere(&page, &target)).collect::<Vec<_>>();
    let wrong: Vec<String> = pages.flat_map(of).collect();
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn every_picture_is_shown_and_says_what_it_shows() {
    let shown: BTreeSet<String> = names("", ".md").iter().flat_map(|page| links(&read(&book().join(page)))).collect();
    for name in names("pictures", ".svg") {
        assert!(shown.contains(&format!("pictures/{name}")), "no page shows pictures/{name}");
        let picture = read(&book().join("pictures").join(&name));
        assert!(picture.contains("<title") && picture.contains("<desc"), "pictures/{name} says nothing to who cannot see it");
    }
}

/// Whether a test of `pages` goes through a page.
fn is_gone_through(page: &str) -> bool {
    let tests = include_str!("pages.rs");
    let language = page.strip_prefix("first-operator-").and_then(|rest| rest.strip_suffix(".md"));
    tests.contains(&language.map_or_else(|| format!("goes_through(\"{page}\")"), |language| format!("first_operator_in(\"{language}\")")))
}

/// Commands of a page that nobody runs: without a test that goes through it, all that do not say why. What is only moved in says nothing.
fn not_run(page: &str, text: &str) -> Vec<String> {
    let says_why = |info: &str| info.strip_prefix("sh elsewhere: ").is_some_and(|why| !why.trim().is_empty());
    let is_run = |info: &str| is_gone_through(page) && !info.starts_with("sh elsewhere");
    let is_command = |info: &str| info == "sh" || info.starts_with("sh ");
    let mut is_code = false;
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let begins = line.strip_prefix("```").filter(|_| !is_code);
        is_code ^= line.starts_with("```");
        let is_bare = !is_code && line.starts_with("    weir ");
        if is_bare || begins.is_some_and(|info| is_command(info) && !is_run(info) && !says_why(info)) {
            wrong.push(format!("{page}:{}", number + 1));
        }
    }
    wrong
}

#[test]
fn every_command_is_run_or_says_why_not() {
    let of = |page: &String| not_run(page, &read(&book().join(page)));
    let wrong: Vec<String> = names("", ".md").iter().flat_map(of).collect();
    assert!(wrong.is_empty(), "blocks of commands that no test runs, and that are not `sh elsewhere: WHY`:\n{}", wrong.join("\n"));
}

/// What `weir check` says of a word of a job file that it does not know, or that does nothing where it stands.
const UNKNOWN: [&str; 3] = ["has no setting", "unknown key", "has no meaning"];

/// What `weir check` has against the words of a block that is a job file or whole tables of one. That steps and files are missing there is no matter.
fn unknown_words(block: &Block) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let name = if block.text.starts_with('[') { "name = \"page\"\n" } else { "" };
    // What would be built is not there.
    let text: String = block.text.lines().filter(|line| !line.starts_with("build")).map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("job.toml"), format!("{name}{text}")).expect("a job file");
    let output = Command::new(WEIR).args(["check", "job.toml"]).current_dir(folder.path()).output().expect("the command runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let wrong = said.lines().filter(|line| UNKNOWN.iter().any(|unknown| line.contains(unknown)));
    wrong.map(|line| format!("{}: {}", block.place, line.trim())).collect()
}

#[test]
fn what_pages_say_in_job_files_is_known() {
    let of_jobs = |block: &Block| block.kind == "toml" && block.word.is_none() && block.text.starts_with(['[', 'n']);
    let jobs: Vec<Block> = names("", ".md").iter().flat_map(|page| blocks(page)).filter(of_jobs).collect();
    assert!(jobs.len() >= 8, "{} blocks", jobs.len());
    let wrong: Vec<String> = jobs.iter().flat_map(unknown_words).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_word_that_no_job_file_has_is_seen() {
    let block = |text: &str| Block { place: "a.md:1".into(), kind: "toml".into(), word: None, text: text.into() };
    assert_eq!(unknown_words(&block("[source.a]\nconnector = \"generator\"\nkeys = 3\n")), [""; 0]);
    assert_eq!(unknown_words(&block("[source.a]\nconnector = \"generator\"\nkey = 3\n")).len(), 1);
    assert_eq!(unknown_words(&block("name = \"a\"\n[checkpoint]\ninterval = \"1s\"\n")).len(), 1);
}

#[test]
fn links_headings_and_commands_are_found() {
    let page = "# A `b`, c\n[x](y.md#z) `[no](link)` ![p](q.svg)\n```toml\n# [no](heading)\n```\n## A b c\n[web](https://a.example)\n";
    assert_eq!(links(page), ["y.md#z", "q.svg"]);
    assert_eq!(anchors(page), ["a-b-c", "a-b-c-1"].map(str::to_owned).into());
    let commands = "```sh\nx\n```\n```sh elsewhere: a broker\n    weir run\n```\n```sh elsewhere:\n```\n```shell\n```\n    weir jobs\n";
    assert_eq!(not_run("none.md", commands), ["none.md:1", "none.md:7", "none.md:11"]);
}
