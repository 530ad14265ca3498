//! Plugins in other languages, built as an author builds them: in a project of `weir plugin new`, with the SDK that the binary carries.
//!
//! A project stays from run to run, with what its package manager has brought, and is built where anything that it is made of has changed.

use super::WordCount;
use super::bench::Bench;
use super::plugins::target_folder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Files of a folder of sources that belong to its own way to be built.
const ITS_OWN: [&str; 5] = ["job.toml", "package.json", "package-lock.json", "node_modules", "dist"];

/// Folders that tools make.
const MADE: [&str; 5] = ["node_modules", "__pycache__", "dist", "build", "target"];

/// The component of `source`, a file or a folder below `folder`, which is in the workspace. `weir` is the binary that builds it.
pub fn plugin_in(language: &str, weir: &str, folder: &str, source: &str) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    // One at a time: package managers take their caches for themselves, and a build takes all cores.
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let stem = Path::new(source).file_stem().map_or_else(|| "all".into(), |stem| stem.to_string_lossy().into_owned());
    let name = format!("{}-{}-{language}", folder.replace('/', "-").trim_end_matches(&format!("-{language}")), stem.replace('_', "-"));
    let projects = target_folder().join("languages");
    fs::create_dir_all(&projects).expect("a folder");
    let project = projects.join(&name);
    if !project.join("weir.toml").is_file() {
        _ = fs::remove_dir_all(&project);
        run(Command::new(weir).args(["plugin", "new", &name, "--language", language, "-q"]).current_dir(&projects));
        clear_of_the_example(&project);
    }
    fs::write(project.join("weir.toml"), format!("[plugin]\nname = {name:?}\nlanguage = {language:?}\nsource = {source:?}\n"))
        .expect("a file");
    copy(&root.join(folder), &project);
    let (component, made_of) = (project.join(format!("{name}.wasm")), project.join("made-of"));
    let now = digest(&[root.join(folder), root.join("guest-sdk").join(sdk_folder(language)), PathBuf::from(weir)]);
    if !component.is_file() || fs::read_to_string(&made_of).ok().as_deref() != Some(&now) {
        run(Command::new(weir).args(["plugin", "sdk", "-q"]).arg(&project));
        run(Command::new(weir).args(["plugin", "build", "-q"]).arg(&project));
        fs::write(&made_of, now).expect("a file");
    }
    component
}

fn sdk_folder(language: &str) -> &str {
    if language == "javascript" { "js" } else { language }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Takes the operator of a new project away.
fn clear_of_the_example(project: &Path) {
    for example in ["operator.c", "main.go", "operator.js", "visits.py"] {
        _ = fs::remove_file(project.join(example));
    }
}

/// Copies sources, where they are others than those there.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder of the project").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let (path, to) = (entry.path(), to.join(&name));
        if name == "go.mod" {
            // The module stays what it is called, and finds the SDK beside it.
            let text = fs::read_to_string(&path).expect("a text");
            fs::write(&to, text.replace("../../../guest-sdk/go", "./weir-sdk/guest-sdk/go")).expect("a file");
        } else if ITS_OWN.contains(&name.as_str()) || name.starts_with(['.', '_']) || name.starts_with("out") {
            continue;
        } else if path.is_dir() {
            copy(&path, &to);
        } else if fs::read(&path).ok() != fs::read(&to).ok() {
            fs::copy(&path, &to).expect("a file that can be copied");
        }
    }
}

/// Copies these parts of the workspace into a folder, where they stand to each other as they do here: what a clone has, without what was made in it.
pub fn check_out(parts: &[&str], to: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    parts.iter().for_each(|part| clone(&root.join(part), &to.join(part)));
}

fn clone(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())).map(|entry| entry.expect("an entry")) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if MADE.contains(&name.as_str()) || name.starts_with('.') || name.starts_with("out") && path.is_dir() || name.ends_with(".wasm") {
            continue;
        }
        if path.is_dir() {
            clone(&path, &to.join(&name));
        } else {
            fs::copy(&path, to.join(&name)).expect("a file that can be copied");
        }
    }
}

/// What is in all files of these folders, in one text.
fn digest(paths: &[PathBuf]) -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    let mut left: Vec<PathBuf> = paths.to_vec();
    let mut files = Vec::new();
    while let Some(path) = left.pop() {
        let is_made =
            path.file_name().is_some_and(|name| ["node_modules", "__pycache__", "dist", ".venv"].contains(&&*name.to_string_lossy()));
        match path.is_dir() {
            true if !is_made => left.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path())),
            true => {}
            // The binary is new with every build; what it builds of the same files is the same.
            false if paths.contains(&path) => {}
            false => files.push(path),
        }
    }
    files.sort();
    for file in files {
        hasher.update(file.display().to_string());
        hasher.update(fs::read(&file).expect("a file"));
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The counting component of word-count in a language, Rust's among them.
pub fn word_count_in(language: &str, weir: &str) -> PathBuf {
    match language {
        "rust" => super::plugin("word-count-count"),
        "c" => plugin_in(language, weir, "plugins/word-count/c", "count.c"),
        "go" => plugin_in(language, weir, "plugins/word-count/go", "count"),
        "javascript" => plugin_in(language, weir, "plugins/word-count/js", "count.js"),
        "python" => plugin_in(language, weir, "plugins/word-count/python", "count.py"),
        other => panic!("no language `{other}`"),
    }
}

/// The component of flight-delays in a language, Rust's among them.
pub fn flight_delays_in(language: &str, weir: &str) -> PathBuf {
    match language {
        "rust" => super::plugin("flight-delays"),
        "c" => plugin_in(language, weir, "plugins/flight-delays/c", "delays.c"),
        "go" => plugin_in(language, weir, "plugins/flight-delays/go", "."),
        "javascript" => plugin_in(language, weir, "plugins/flight-delays/js", "delays.js"),
        "python" => plugin_in(language, weir, "plugins/flight-delays/python", "delays.py"),
        other => panic!("no language `{other}`"),
    }
}

/// A job that counts words with `plugin`.
pub fn counting_with(weir: &'static str, job: WordCount, plugin: &Path) -> Bench {
    let bench = Bench::new(weir, job);
    bench.edit_job(&format!("{:?}", super::plugin("word-count-count")), &format!("{plugin:?}"));
    bench
}
