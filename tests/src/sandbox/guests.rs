//! The plugins of the workspace as guests of tests: built once for a process, compiled once for each way to interrupt them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use weir_wasm::{CompileCache, CompileIn, EngineMode, Plugin, WasmEngine};

/// The plugins that are built.
const PACKAGES: [&str; 4] = ["faulty", "keyed-count", "trapping-timers", "window-teller"];

/// One plugin, compiled for each mode when it is first asked for.
struct Guest {
    package: &'static str,
    by_mode: [OnceLock<Plugin>; 3],
}

/// The guest that does on request what a guest must not do.
pub fn faulty(mode: EngineMode) -> Plugin {
    static GUEST: Guest = Guest::new("faulty");
    GUEST.plugin(mode)
}

/// The guest that counts and sums up per key.
pub fn keyed_count(mode: EngineMode) -> Plugin {
    static GUEST: Guest = Guest::new("keyed-count");
    GUEST.plugin(mode)
}

/// The guest that tells what its windows have been given.
pub fn window_teller(mode: EngineMode) -> Plugin {
    static GUEST: Guest = Guest::new("window-teller");
    GUEST.plugin(mode)
}

/// The guest that counts by minutes until timers.
pub fn trapping_timers(mode: EngineMode) -> Plugin {
    static GUEST: Guest = Guest::new("trapping-timers");
    GUEST.plugin(mode)
}

impl Guest {
    const fn new(package: &'static str) -> Self {
        Self { package, by_mode: [const { OnceLock::new() }; 3] }
    }

    fn plugin(&self, mode: EngineMode) -> Plugin {
        let slot = match mode {
            EngineMode::Epoch => &self.by_mode[0],
            EngineMode::Fuel => &self.by_mode[1],
            EngineMode::EpochAndFuel => &self.by_mode[2],
        };
        let load = || Plugin::load(path(self.package), engine(mode)).expect("a plugin of the workspace loads");
        slot.get_or_init(load).clone()
    }
}

/// The engine of these guests, one for each way to interrupt them.
pub fn engine(mode: EngineMode) -> &'static WasmEngine {
    static ENGINES: [OnceLock<WasmEngine>; 3] = [const { OnceLock::new() }; 3];
    let slot = match mode {
        EngineMode::Epoch => &ENGINES[0],
        EngineMode::Fuel => &ENGINES[1],
        EngineMode::EpochAndFuel => &ENGINES[2],
    };
    slot.get_or_init(|| WasmEngine::new(mode, &CompileCache::Off, CompileIn::ThisProcess).expect("the Wasm engine starts"))
}

/// Where the package's module lies.
fn path(package: &str) -> &'static Path {
    static MODULES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let name = format!("{}.wasm", package.replace('-', "_"));
    let modules = MODULES.get_or_init(build);
    modules.iter().find(|module| module.ends_with(&name)).unwrap_or_else(|| panic!("cargo built no {name}, but {modules:?}"))
}

/// Builds the plugins, and asks cargo where they are: the target folder may be anywhere.
fn build() -> Vec<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "--message-format", "json"])
        .args(PACKAGES.iter().flat_map(|package| ["-p", package]))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "the guests could not be built; is the target there? rustup target add wasm32-unknown-unknown");
    let messages = String::from_utf8_lossy(&built.stdout);
    let files = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).flat_map(|message| {
        let files = message["filenames"].as_array().cloned().unwrap_or_default();
        files.into_iter().filter_map(|file| file.as_str().map(PathBuf::from))
    });
    files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm")).collect()
}
