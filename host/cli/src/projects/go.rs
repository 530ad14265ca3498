//! Projects in Go: a core module by the standard toolchain.
//!
//! Invariant: no file that imports "C" is left out in silence, as Go does where it compiles for another machine. Who sets `CGO_ENABLED=0` asks for just that.

use super::Project;
use super::build::{Tool, run_with};
use super::language::Profile;
use crate::failure::Failure;
use std::path::PathBuf;
use weir_engine::{EngineError, ErrorKind};

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

const GO: Tool = Tool { program: "go", get: "install Go 1.24 or later: https://go.dev/dl", incomplete: None };

/// What it compiles for.
const PLATFORM: [(&str, &str); 2] = [("GOOS", "wasip1"), ("GOARCH", "wasm")];

/// How packages are listed that have files of cgo: whether they are the author's own, the package, its files.
const LISTED: &str =
    "{{if and .CgoFiles (not .Standard)}}{{with .Module}}{{.Main}}{{end}}\t{{.ImportPath}}\t{{join .CgoFiles \", \"}}{{end}}";

fn build(project: &Project, say: &dyn Fn(&str)) -> Result<PathBuf, Failure> {
    let package = format!("./{}", project.source);
    if std::env::var_os("CGO_ENABLED").is_none_or(|enabled| enabled != "0") {
        // With cgo, files of it are listed as such; those for other machines are not, whatever they import.
        let variables = [PLATFORM[0], PLATFORM[1], ("CGO_ENABLED", "1")];
        let listed = run_with(&GO, ["list", "-e", "-deps", "-f", LISTED, &package], &project.folder, &variables, &|_| {})?;
        refuse_cgo(&listed)?;
    }
    let module = project.folder.join("target").join(format!("{}.core.wasm", project.name));
    let arguments = ["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o"].map(str::to_owned);
    let arguments = arguments.into_iter().chain([module.display().to_string(), package]);
    run_with(&GO, arguments, &project.folder, &PLATFORM, say)?;
    Ok(module)
}

/// An error that names all packages that are listed, and the author's own files.
fn refuse_cgo(listed: &str) -> Result<(), EngineError> {
    let native = listed.lines().filter_map(|line| {
        let (is_own, (package, files)) = line.split_once('\t').and_then(|(own, rest)| Some((own == "true", rest.split_once('\t')?)))?;
        Some(if is_own {
            format!("{package} is native: {files} of it has `import \"C\"`")
        } else {
            format!("the package {package} is native: it needs cgo")
        })
    });
    let native: Vec<_> = native.collect();
    if native.is_empty() {
        return Ok(());
    }
    let message = format!("{}\nthe sandbox runs no C beside Go; packages that are Go alone can be used", native.join("\n"));
    let hint = "take another package, or set `CGO_ENABLED=0` where one does without its C: Go leaves the files out then that import it";
    Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_need_cgo_are_refused_by_name() {
        assert!(refuse_cgo("").is_ok());
        let error = refuse_cgo("true\tlogins\tnative.go\nfalse\tgithub.com/a/b\tx.go, y.go\n").expect_err("native").to_string();
        for part in ["logins is native: native.go of it has", "the package github.com/a/b is native: it needs cgo"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
