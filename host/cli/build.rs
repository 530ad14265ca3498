//! Writes the table of the files that the binary carries: the SDKs and the world that they are built on, and what `weir plugin new` makes of a name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Folders that tools make.
const MADE: [&str; 6] = ["target", "node_modules", "__pycache__", "build", "dist", "out"];

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here.join("../..").canonicalize().expect("the workspace's root");
    let mut table = String::from("&[\n");
    for (folder, name) in [(root.join("guest-sdk"), "guest-sdk"), (root.join("wit"), "wit"), (here.join("templates"), "templates")] {
        println!("cargo:rerun-if-changed={}", folder.display());
        add(&folder, name, &mut table);
    }
    // A new project in Rust begins with the versions that the SDK is tested with.
    let lock = root.join("Cargo.lock");
    println!("cargo:rerun-if-changed={}", lock.display());
    writeln!(table, "(\"templates/rust/Cargo.lock\", include_bytes!({:?})),", lock.display().to_string())
        .expect("a text can be written to");
    table.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("carried.rs");
    std::fs::write(&out, table).expect("a folder of cargo's can be written to");
}

/// Adds the files below `folder`, which are called by `name`, in order.
fn add(folder: &Path, name: &str, table: &mut String) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder of the project").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let file = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        let name = format!("{name}/{file}");
        if path.is_symlink() || MADE.contains(&file.as_str()) || (file.starts_with('.') && file != ".gitignore") {
            continue;
        }
        if path.is_dir() {
            add(&path, &name, table);
        } else {
            writeln!(table, "({name:?}, include_bytes!({:?})),", path.display().to_string()).expect("a text can be written to");
        }
    }
}
