//! Patterns against the files of a sink and of a job's storage.

use super::super::{DeadLinks, Hidden, walk};
use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn parts(folder: &Path, suffix: &'static str) -> Output {
    let name = vec![NamePart::Text("part-"), NamePart::Some(|c| c.is_ascii_alphanumeric() || c == '-'), NamePart::Text(suffix)];
    Output::new(folder, vec![vec![name.clone()], vec![vec![NamePart::Text(".pending")], name]])
}

/// A folder with `data/in.csv`, and links to places that may be written to.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("data/sub")).unwrap();
    fs::write(folder.path().join("data/in.csv"), "").unwrap();
    folder
}

#[track_caller]
fn check(folder: &TempDir, pattern: &str, output: &Output, expect: bool) {
    let pattern = Pattern::parse(pattern, Hidden::Stay).unwrap();
    let found = walk(&pattern, folder.path(), DeadLinks::Fail).unwrap();
    assert_eq!(output.is_matched_by(&pattern, &found), expect, "{pattern:?}");
}

#[test]
fn a_sinks_folder_is_matched_before_and_after_it_is_there() {
    let folder = folder();
    for is_there in [false, true] {
        let out = folder.path().join("data/out");
        if is_there {
            fs::create_dir(&out).unwrap();
        }
        let lines = parts(&out, "");
        let matched = [
            "data/out/*",
            "data/*/*",
            "**/*",
            "data/**",
            "data/out/part-*",
            "*/out/part-?*",
            "data/sub/../out/*",
            "data/../*/out/[!a]*",
            "**/out/*-0",
            "data/out/part-in-7",
            "data/out/.pending/*",
            "data/out/.*/*",
        ];
        matched.iter().for_each(|pattern| check(&folder, pattern, &lines, true));
        let others = [
            "data/*.csv",
            "data/*",
            "**/*.csv",
            "data/out/*.csv",
            "out/*",
            "data/sub/*",
            "data/out/*/*",
            "data/out/p",
            "*/sub/../*",
            "data/out/.part*",
        ];
        others.iter().for_each(|pattern| check(&folder, pattern, &lines, false));
        check(&folder, "**/*.csv", &parts(&out, ".csv"), true);
        check(&folder, "data/out/*.jsonl", &parts(&out, ".jsonl"), true);
    }
}

#[test]
fn neither_links_nor_dots_hide_that_it_is_the_same_folder() {
    let folder = folder();
    symlink("data", folder.path().join("link")).unwrap();
    symlink("../data/sub", folder.path().join("data/into")).unwrap();
    let out = |path: &str| parts(&folder.path().join(path), "");
    check(&folder, "data/out/*", &out("link/out"), true);
    check(&folder, "link/out/*", &out("data/out"), true);
    check(&folder, "data/*/*", &out("data/sub/../sub/../out"), true);
    check(&folder, "data/out/*", &out("data/none/../out"), true);
    check(&folder, "data/into/*", &out("data/sub"), true);
    check(&folder, "*/into/new/*", &out("data/sub/new"), true);
    check(&folder, "link/*", &out("data"), true);
    check(&folder, "link/*", &out("data/out"), false);
    check(&folder, &format!("{}/data/out/*", folder.path().display()), &out("link/out"), true);
}

#[test]
fn a_hidden_folder_is_matched_by_a_dot_alone_and_storage_at_any_depth() {
    let folder = folder();
    let storage = |name: &str| Output::storage(&folder.path().join(name).join("job"));
    check(&folder, "**/*", &storage(".weir"), false);
    check(&folder, ".weir/*/log/*", &storage(".weir"), true);
    check(&folder, ".*/**", &storage(".weir"), true);
    check(&folder, "**/*.json", &storage("state"), true);
    check(&folder, "*/*/*/*.csv", &storage("state"), true);
    check(&folder, "data/*.csv", &storage("."), false);
    check(&folder, "*/*.csv", &storage("state"), false);
    check(&folder, "job/*", &storage("."), true);
}
