//! The Wasm target that a build line needs: installed with rustup where it is missing, or named with the command to run.

use std::path::Path;
use std::process::{Command, Stdio};
use weir_engine::{EngineError, ErrorKind};

/// The Wasm target that a cargo or rustc command line names.
pub(super) fn target_of(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        let target = match word.strip_prefix("--target") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if let Some(target) = target.map(|target| target.trim_matches(['"', '\''])).filter(|target| target.starts_with("wasm")) {
            return Some(target);
        }
    }
    None
}

/// Makes sure that the toolchain of `folder` has the target of the build line, where it names one and rustc is there to be asked.
pub(crate) fn ensure_installed(line: &str, folder: &Path, say: &dyn Fn(&str)) -> Result<(), EngineError> {
    let Some(target) = target_of(line).filter(|target| is_missing(target, folder)) else { return Ok(()) };
    let command = format!("rustup target add {target}");
    let missing = |why: String| {
        let message = format!("the Wasm target {target} is not installed, and `{command}` {why}");
        EngineError::new(ErrorKind::FixInput, message).with_hint(format!("run `{command}` in {}", folder.display()))
    };
    say(&format!("the Wasm target {target} is missing; running `{command}`"));
    let output = Command::new("rustup").args(["target", "add", target]).current_dir(folder).stdin(Stdio::null()).output();
    let output = output.map_err(|error| missing(format!("cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(missing(format!("failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end())));
    }
    Ok(())
}

/// True where rustc says where the target's libraries would be, and they are not there.
fn is_missing(target: &str, folder: &Path) -> bool {
    let asked =
        Command::new("rustc").args(["--print", "target-libdir", "--target", target]).current_dir(folder).stdin(Stdio::null()).output();
    let Ok(answer) = asked else { return false };
    let libdir = String::from_utf8_lossy(&answer.stdout);
    answer.status.success() && !Path::new(libdir.trim()).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_found_in_the_build_line() {
        assert_eq!(target_of("cargo build --release --target wasm32-unknown-unknown -p x"), Some("wasm32-unknown-unknown"));
        assert_eq!(target_of("cd x && cargo build --target=wasm32-wasip1"), Some("wasm32-wasip1"));
        assert_eq!(target_of("cargo build --target x86_64-unknown-linux-gnu"), None);
        assert_eq!(target_of("make --target"), None);
        assert_eq!(target_of("make plugin"), None);
    }
}
