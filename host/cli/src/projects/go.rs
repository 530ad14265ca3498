//! Projects in Go: a core module by the standard toolchain.

use super::Project;
use super::build::{Tool, run_with};
use super::language::Profile;
use crate::failure::Failure;
use std::path::PathBuf;

/// What is said of Go.
pub const PROFILE: Profile = Profile {
    name: "Go",
    short: "go",
    operator: "main.go",
    source: ".",
    documentation: "guest-sdk/go/README.md",
    sources: &["*.go", "go.mod", "weir-sdk/guest-sdk/go/**/*.go"],
    sdk: &["guest-sdk/go", "wit"],
    files: &[("go/go.mod.template", "go.mod"), ("go/main.go.template", "main.go")],
    sdk_files: &[],
    build,
};

const GO: Tool = Tool { program: "go", get: "install Go 1.24 or later: https://go.dev/dl" };

fn build(project: &Project, say: &dyn Fn(&str)) -> Result<PathBuf, Failure> {
    let module = project.folder.join("target").join(format!("{}.core.wasm", project.name));
    let arguments = ["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o"].map(str::to_owned);
    let arguments = arguments.into_iter().chain([module.display().to_string(), format!("./{}", project.source)]);
    run_with(&GO, arguments, &project.folder, &[("GOOS", "wasip1"), ("GOARCH", "wasm")], say)?;
    Ok(module)
}
