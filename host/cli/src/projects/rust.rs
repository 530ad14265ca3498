//! Projects in Rust: a crate whose module carries its component type.

use super::Project;
use super::build::{Tool, run};
use super::language::Profile;
use crate::failure::Failure;
use std::path::PathBuf;
use weir_engine::{EngineError, ErrorKind};

/// What is said of Rust.
pub const PROFILE: Profile = Profile {
    name: "Rust",
    short: "rust",
    operator: "src/lib.rs",
    source: ".",
    documentation: "guest-sdk/rust/README.md",
    sources: &["src/**/*.rs", "Cargo.toml", "weir-sdk/guest-sdk/**/*.rs"],
    sdk: &["guest-sdk/rust", "guest-sdk/rust-derive", "wit"],
    files: &[
        ("rust/Cargo.toml.template", "Cargo.toml"),
        // It has more than the project needs, which cargo takes out.
        ("rust/Cargo.lock", "Cargo.lock"),
        ("rust/src/lib.rs.template", "src/lib.rs"),
    ],
    sdk_files: &[("rust/weir-sdk.Cargo.toml.template", "Cargo.toml")],
    build,
};

const TARGET: &str = "wasm32-unknown-unknown";
const CARGO: Tool = Tool { program: "cargo", get: "install Rust: https://rustup.rs", incomplete: None };

fn build(project: &Project, say: &dyn Fn(&str)) -> Result<PathBuf, Failure> {
    crate::plugins::ensure_target(&format!("cargo build --target {TARGET}"), &project.folder, say)?;
    let printed =
        run(&CARGO, ["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"], &project.folder, say)?;
    // The package's own artefact is the last; where it is depends on workspaces and on cargo's settings.
    printed.lines().rev().find_map(module_of).ok_or_else(|| {
        let error = EngineError::new(ErrorKind::FixInput, "cargo has made no .wasm");
        error.with_hint("Cargo.toml says `crate-type = [\"cdylib\"]` below `[lib]`").into()
    })
}

/// The module that one of cargo's messages is about.
fn module_of(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let files = message.get("filenames")?.as_array()?;
    files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}
