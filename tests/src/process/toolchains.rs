//! The compilers of other languages: a machine without one does not test what is built with it, and says so.

use std::process::{Command, Stdio};

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
    let missing = programs.iter().find(|program| !is_there(program));
    if let Some(program) = missing {
        assert!(std::env::var_os("WEIR_EVERY_LANGUAGE").is_none(), "there is no `{program}`, and every language is to be tested");
        eprintln!("what is built with {language} is not tested: there is no `{program}`");
    }
    missing.is_none()
}
