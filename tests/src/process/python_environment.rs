//! Packages from PyPI that tests use: each in an environment of its own below `target/`, where it is installed once.

use super::plugins::target_folder;
use super::toolchains::tried;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

/// The Python that has `package`, installed into the environment `name` where it is not. One process at a time does that.
pub fn python_with(name: &str, package: &str) -> Result<PathBuf, String> {
    let target = target_folder();
    let folder = target.join(name);
    let (python, done) = (folder.join("bin/python"), folder.join("installed"));
    fs::create_dir_all(&target).map_err(|error| format!("make {}: {error}", target.display()))?;
    let lock = File::create(target.join(format!("{name}.lock"))).map_err(|error| format!("lock {}: {error}", target.display()))?;
    lock.lock().map_err(|error| format!("lock {}: {error}", target.display()))?;
    if fs::read_to_string(&done).is_ok_and(|what| what == package) {
        return Ok(python);
    }
    eprintln!("installing {package} into {}", folder.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "10", package];
    tried(&format!("to install {package}"), || run(Command::new(&python).args(pip)))?;
    fs::write(&done, package).map_err(|error| format!("write {}: {error}", done.display()))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let line = format!("`{}`", command.get_program().to_string_lossy());
    let output = command.output().map_err(|error| format!("{line}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().last().unwrap_or("it says nothing");
    if output.status.success() { Ok(()) } else { Err(format!("{line} failed: {last}")) }
}
