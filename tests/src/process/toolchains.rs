//! The compilers of other languages: a machine without one does not test what is built with it, and says so.
//!
//! `WEIR_EVERY_LANGUAGE` in the environment makes that a failure, which says what is missing and how to get it. Then what comes from a registry is tried
//! again where it did not come: a test is to fail for what is wrong here, and not for a moment of the network.

use super::python_environment::python_with;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a registry is given before it is asked again, where every language is to be tested.
const PAUSES: [Duration; 4] = [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15), Duration::from_secs(30)];

/// The version of zig that is installed.
const ZIG: &str = "ziglang==0.17.1";

/// Whether what builds plugins in a language is here. `WEIR_EVERY_LANGUAGE` in the environment makes it an error that it is not.
pub fn has_toolchain(language: &str) -> bool {
    let (programs, get): (&[&str], _) = match language {
        "c" => (&["clang", "wasm-ld"], "install clang and lld (Debian: `apt-get install clang lld make pkg-config`)"),
        "go" => (&["go"], "install Go 1.24 or later: https://go.dev/dl"),
        "javascript" => (&["node", "npm"], "install Node.js 20 or later with npm: https://nodejs.org"),
        "python" => (&["python3"], "install Python 3.11 or later with venv: https://python.org"),
        other => panic!("no language `{other}`"),
    };
    // What npm and pip bring has to be to be had.
    let registry: &[&str] = match language {
        "javascript" => &["npm", "view", "componentize-qjs", "version"],
        "python" => &["python3", "-m", "pip", "index", "versions", "componentize-py"],
        _ => &[],
    };
    if let Some(program) = programs.iter().find(|program| !is_there(program)) {
        // The other compiler of C that `weir plugin build` takes.
        return language == "c" && is_there("zig")
            || is_missing(&format!("what is built with {language}"), &format!("no {program}: {get}"));
    }
    match asked(registry) {
        Ok(()) => true,
        Err(why) => is_missing(&format!("what is built with {language}"), &format!("no answer from its registry: {why}")),
    }
}

/// Whether C is compiled by clang, which the SDK's own tests need, and its Makefile where nothing else is said. Where zig stands in for it, it is not.
pub fn has_clang() -> bool {
    if !has_toolchain("c") || !["clang", "wasm-ld"].iter().all(|program| is_there(program)) {
        return false;
    }
    let missing = ["make", "pkg-config"].into_iter().find(|program| !is_there(program));
    missing.is_none_or(|program| is_missing("what is made with clang", &format!("no {program} (Debian: `apt-get install {program}`)")))
}

/// The Python that runs zig, by `-m ziglang`; it is installed once. `None` on a machine that cannot have it, an error where every language is to be tested.
pub fn python_with_zig() -> Option<PathBuf> {
    python_with("zig", ZIG).map_err(|why| is_missing("what is built with zig", &why)).ok()
}

/// Puts a program `zig` into `folder`, which is that of [`python_with_zig`].
pub fn write_zig(python: &Path, folder: &Path) {
    write_program(&folder.join("zig"), &format!("#!/bin/sh\nexec '{}' -m ziglang \"$@\"\n", python.display()));
}

/// Writes a program that is a script.
pub fn write_program(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, script).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a program");
}

/// The variable `PATH` with a folder in front.
pub fn path_with(folder: &Path) -> OsString {
    let others = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder.to_owned()).chain(std::env::split_paths(&others))).expect("a path")
}

/// Says that something is not tested and why, which is false; a failure where every language is to be tested.
pub(super) fn is_missing(what: &str, why: &str) -> bool {
    assert!(!is_every_language_asked_for(), "every language is to be tested, and {what} cannot be: {why}");
    eprintln!("{what} is not tested: {why}");
    false
}

/// Does what takes the network: where every language is to be tested, again when it fails, with time in between.
#[expect(clippy::disallowed_methods, reason = "a registry is given real time to come back")]
pub(super) fn tried<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    for pause in PAUSES.iter().filter(|_| is_every_language_asked_for()) {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(why) => eprintln!("{what} failed, and is tried again in {pause:?}: {why}"),
        }
        std::thread::sleep(*pause);
    }
    attempt()
}

fn is_every_language_asked_for() -> bool {
    std::env::var_os("WEIR_EVERY_LANGUAGE").is_some()
}

fn is_there(program: &str) -> bool {
    let version = if ["go", "zig"].contains(&program) { "version" } else { "--version" };
    Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Asks a registry by a command, which is done once in a process: nothing, or the last line of what the command has said.
fn asked(line: &[&str]) -> Result<(), String> {
    static ASKED: Mutex<BTreeMap<String, Result<(), String>>> = Mutex::new(BTreeMap::new());
    let [program, arguments @ ..] = line else { return Ok(()) };
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let line = line.join(" ");
    let ask = || {
        let answer = Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&answer.stderr);
        if answer.status.success() { Ok(()) } else { Err(said.trim().lines().last().unwrap_or("it says nothing").to_owned()) }
    };
    asked.entry(line.clone()).or_insert_with(|| tried(&format!("`{line}`"), ask)).clone()
}
