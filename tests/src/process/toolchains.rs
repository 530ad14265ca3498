//! The compilers of other languages: a machine without one does not test what is built with it, and says so.

use super::python_environment::python_with;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Whether what builds plugins in a language is here. `WEIR_EVERY_LANGUAGE` in the environment makes it an error that it is not.
pub fn has_toolchain(language: &str) -> bool {
    let programs: &[&str] = match language {
        "c" => &["clang", "wasm-ld"],
        "go" => &["go"],
        "javascript" => &["node", "npm"],
        "python" => &["python3"],
        other => panic!("no language `{other}`"),
    };
    let is_there = |program: &&str| {
        let version = if *program == "go" { "version" } else { "--version" };
        Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    // What npm and pip bring has to be to be had.
    let registry: &[&str] = match language {
        "javascript" => &["npm", "view", "componentize-qjs", "version"],
        "python" => &["python3", "-m", "pip", "index", "versions", "componentize-py"],
        _ => &[],
    };
    let missing = programs.iter().find(|program| !is_there(program)).copied();
    let missing = missing.or_else(|| (!registry.is_empty() && !answers(registry)).then_some("package registry"));
    if let Some(program) = missing {
        assert!(std::env::var_os("WEIR_EVERY_LANGUAGE").is_none(), "there is no {program}, and every language is to be tested");
        eprintln!("what is built with {language} is not tested: there is no {program}");
    }
    missing.is_none()
}

/// The Python that runs zig, by `-m ziglang`; it is installed once. `None` on a machine that cannot have it, an error where every language is to be tested.
pub fn python_with_zig() -> Option<PathBuf> {
    let said = |why: String| {
        assert!(std::env::var_os("WEIR_EVERY_LANGUAGE").is_none(), "zig is not there, and every language is to be tested: {why}");
        eprintln!("what is built with zig is not tested: {why}");
    };
    python_with("zig", "ziglang==0.17.1").map_err(said).ok()
}

/// Whether a registry answers. Each is asked once.
fn answers(line: &[&'static str]) -> bool {
    static ASKED: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let ask = || {
        let answer = Command::new(line[0]).args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        answer.is_ok_and(|status| status.success())
    };
    *asked.entry(line.join(" ")).or_insert_with(ask)
}
