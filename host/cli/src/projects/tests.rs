//! What a new project has, whatever its language.

use super::new::SDK_FOLDER;
use super::*;
use clap::ValueEnum;

#[test]
fn a_project_of_each_language_is_whole_and_is_written_once() {
    for &language in Language::value_variants() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = new(parent.path(), "count-visits", language).expect("a project");
        let project = Project::open(&folder).expect("it is one");
        assert_eq!((project.name.as_str(), project.language), ("count-visits", language));
        let profile = language.profile();
        for file in ["job.toml", "count.test.toml", "visits.jsonl", ".gitignore", "README.md", profile.operator] {
            let text = std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(!text.contains("{{"), "{file} has a place that was not filled");
        }
        assert!(folder.join(SDK_FOLDER).join(profile.documentation).is_file());
        assert!(matches!(new(parent.path(), "count-visits", language), Err(Failure::Usage { .. })));
    }
}

#[test]
fn an_sdk_that_is_written_again_is_this_ones_alone() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = new(parent.path(), "a", Language::Rust).expect("a project");
    let old = folder.join(SDK_FOLDER).join("guest-sdk/rust/src/old.rs");
    std::fs::write(&old, "old").expect("a file");
    write_sdk(&folder, Language::Rust).expect("it is written again");
    assert!(!old.exists() && folder.join(SDK_FOLDER).join("guest-sdk/rust/src/lib.rs").is_file());
}

#[test]
fn names_are_those_that_every_language_takes() {
    for name in ["a", "count-visits", "x2"] {
        assert_eq!(check_name(name), Ok(()));
    }
    for name in ["", "-a", "a-", "A", "2x", "a_b", "a/b", "é", &"a".repeat(65)] {
        assert!(check_name(name).is_err(), "{name}");
    }
}

#[test]
fn the_rust_sdk_is_built_with_what_it_is_built_with_here() {
    let ours: toml::Table = toml::from_str(include_str!("../../../../Cargo.toml")).expect("TOML");
    let theirs: toml::Table = toml::from_str(carried::template("rust/weir-sdk.Cargo.toml.template")).expect("TOML");
    let of = |table: &toml::Table, name: &str| table["workspace"]["dependencies"].get(name).cloned();
    for name in theirs["workspace"]["dependencies"]
        .as_table()
        .expect("a table")
        .keys()
        .filter(|name| !name.starts_with("weir-") && *name != "serde_json")
    {
        assert_eq!(of(&theirs, name), of(&ours, name), "{name}");
    }
    assert_eq!(theirs["workspace"]["package"], ours["workspace"]["package"]);
}
