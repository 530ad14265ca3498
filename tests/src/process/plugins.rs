//! Plugins as files: built once for each process of tests, by the command that a plugin's author uses.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The component of the workspace's package `package`, built where it is not up to date.
pub fn plugin(package: &str) -> PathBuf {
    once(package, &[]).join(format!("{}.wasm", package.replace('-', "_")))
}

/// The folder of the components that are examples of the workspace's package `package`, built where they are not up to date.
pub fn examples(package: &str) -> PathBuf {
    once(package, &["--examples"]).join("examples")
}

/// The folder of what was built of a package with these arguments, which happens once.
fn once(package: &str, arguments: &[&str]) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let what = [&[package], arguments].concat().join(" ");
    built.get_or_insert_default().entry(what).or_insert_with(|| build(package, arguments)).clone()
}

/// Writes `plugin` to `path` with a custom section: another component that does the same.
pub fn write_variant(plugin: &Path, path: &Path) {
    const NAME: &[u8] = b"variant";
    let mut bytes = std::fs::read(plugin).expect("a component");
    // A custom section: 0, its length, the length of its name, its name.
    bytes.extend([0, NAME.len() as u8 + 1, NAME.len() as u8]);
    bytes.extend(NAME);
    std::fs::write(path, bytes).expect("a writable folder");
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

/// Where cargo puts what it builds.
pub(super) fn target_folder() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
    workspace().join(named.map_or_else(|| PathBuf::from("target"), PathBuf::from))
}

fn build(package: &str, arguments: &[&str]) -> PathBuf {
    let target = target_folder();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "-p", package])
        .args(arguments)
        .arg("--target-dir")
        .arg(&target);
    let built = command.current_dir(workspace()).output().unwrap_or_else(|error| panic!("build {package}: start cargo: {error}"));
    assert!(built.status.success(), "build {package}: {}", String::from_utf8_lossy(&built.stderr));
    target.join("wasm32-unknown-unknown/release")
}
