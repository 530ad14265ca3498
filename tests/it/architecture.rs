//! The order of the engine's rooms, read off their `use crate::` lines: each knows only those below it.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up; rooms of one row do not know each other.
const ROWS: [&[&str]; 9] = [
    &["error", "shown_text"],
    &["runtime", "metrics"],
    &["element"],
    &["exchange", "state", "storage"],
    &["checkpoint"],
    &["operator", "source", "sink"],
    &["task", "inspect"],
    &["job"],
    &["replay"],
];

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the engine's sources are there") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn every_room_of_the_engine_knows_only_those_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/engine/src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 30, "{} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let inner = file.strip_prefix(&root).expect("below the root");
        let first = inner.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        let room = first.trim_end_matches(".rs");
        // The table of contents names every room.
        let Some(own) = row(room) else {
            assert_eq!(room, "lib", "{} belongs to no room", inner.display());
            continue;
        };
        for line in fs::read_to_string(&file).expect("readable").lines() {
            let Some(used) = line.trim_start().trim_start_matches("pub ").strip_prefix("use crate::") else { continue };
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            // Ports are one row, and share the words of operators.
            let same_row_is_fine = used == room || own == row("operator").expect("a row");
            match row(used) {
                Some(below) if below < own || (below == own && same_row_is_fine) => {}
                _ => wrong.push(format!("{}: {}", inner.display(), line.trim())),
            }
        }
    }
    assert!(wrong.is_empty(), "these look up:\n{}", wrong.join("\n"));
}
