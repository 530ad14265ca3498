//! Which way the arrows go: between the crates, read off their manifests, and between the rooms of one crate, read off the `crate::` paths in its sources.
//! Each knows only those below it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of one crate, or of one of its folders.
struct House {
    /// How messages call it.
    name: &'static str,
    /// Its folder, from the workspace's root.
    folder: &'static str,
    /// How its rooms are named in its sources.
    prefix: &'static str,
    /// From the ground up; rooms of one row do not know each other.
    rows: &'static [&'static [&'static str]],
    /// The rooms of one row that do know each other.
    of_one_row: &'static [&'static str],
    /// Files that are above all rooms: they put the whole together.
    roofs: &'static [&'static str],
}

const ENGINE: House = House {
    name: "the engine",
    folder: "host/engine/src",
    prefix: "crate::",
    rows: &[
        &["error", "shown_text"],
        &["runtime"],
        &["metrics"],
        &["element"],
        &["exchange", "state", "storage"],
        &["checkpoint"],
        &["time"],
        &["operator", "source", "sink", "outbox"],
        &["task", "inspect"],
        &["job"],
        &["replay"],
    ],
    // Ports are one row, and share the words of operators.
    of_one_row: &["operator", "source", "sink", "outbox"],
    roofs: &["lib"],
};

const CLI: House = House {
    name: "the command line",
    folder: "host/cli/src",
    prefix: "crate::",
    rows: &[
        &["args", "job_file", "process", "registry", "value_text"],
        &["documents", "failure", "native"],
        &["figures", "oci", "storage", "terminal"],
        &["plugins"],
        &["projects"],
        &["assemble", "start"],
        &["api", "context", "plan", "scripted", "try_out"],
        &["client", "next_run"],
        &["kept"],
        &["commands"],
    ],
    of_one_row: &[],
    roofs: &["lib", "main"],
};

const COMMANDS: House = House {
    name: "the commands",
    folder: "host/cli/src/commands",
    prefix: "crate::commands::",
    rows: &[
        &["sizes"],
        &["again", "artefact", "bench", "check", "dev", "plugin", "plugin_test", "project", "run", "running", "state", "stored"],
    ],
    of_one_row: &[],
    roofs: &["mod"],
};

impl House {
    fn row(&self, room: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.contains(&room))
    }

    /// Why `own` must not know `used`; `None` where it may.
    fn wrong(&self, own: &str, used: &str) -> Option<String> {
        let may = self.of_one_row.contains(&own) && self.of_one_row.contains(&used);
        match (self.row(own)?, self.row(used)) {
            _ if own == used || may => None,
            (_, None) => Some(format!("`{used}` is no room of {}: name it in the table of `tests/it/architecture.rs`", self.name)),
            (own_row, Some(row)) if row < own_row => None,
            (own_row, Some(row)) if row == own_row => Some(format!("`{own}` and `{used}` stand side by side, and do not know each other")),
            (_, Some(_)) => Some(format!("the arrow `{own}` → `{used}` goes up: `{used}` is above `{own}`")),
        }
    }

    /// The arrows in `text`, a file of the room `own`, that are wrong.
    fn wrong_arrows(&self, own: &str, text: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in code {
            for path in line.split(self.prefix).skip(1) {
                let used = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                let why = if used.is_empty() { Some("a group of rooms: name each on a line".into()) } else { self.wrong(own, used) };
                wrong.extend(why.map(|why| format!("{}: {why}\n    {}", number + 1, line.trim())));
            }
        }
        wrong
    }

    fn check(&self) {
        let root = workspace().join(self.folder);
        let mut files = Vec::new();
        sources(&root, &mut files);
        assert!(files.len() > 30, "{}: {} files", self.folder, files.len());
        let mut wrong = String::new();
        for file in files {
            let inner = file.strip_prefix(&root).expect("below the root");
            let first = inner.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
            let room = first.trim_end_matches(".rs");
            if self.row(room).is_none() {
                assert!(self.roofs.contains(&room), "{}/{} belongs to no room of {}", self.folder, inner.display(), self.name);
                continue;
            }
            for arrow in self.wrong_arrows(room, &fs::read_to_string(&file).expect("readable")) {
                writeln!(wrong, "{}/{}:{arrow}", self.folder, inner.display()).expect("a text takes it");
            }
        }
        assert!(wrong.is_empty(), "each room of {} knows only those below it:\n{wrong}", self.name);
    }
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below a folder, but for what cargo makes.
pub(crate) fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn every_room_of_the_engine_knows_only_those_below_it() {
    ENGINE.check();
}

#[test]
fn every_room_of_the_command_line_knows_only_those_below_it() {
    CLI.check();
}

#[test]
fn no_command_knows_another() {
    COMMANDS.check();
}

#[test]
fn an_arrow_is_seen_wherever_it_stands_and_named() {
    let wrong = |house: &House, own, line: &str| house.wrong_arrows(own, line);
    let up = wrong(&CLI, "storage", "use crate::commands::cores;");
    assert_eq!(up, ["1: the arrow `storage` → `commands` goes up: `commands` is above `storage`\n    use crate::commands::cores;"]);
    assert_eq!(wrong(&ENGINE, "task", "    let plan: crate::job::Plan = plan;").len(), 1);
    assert_eq!(wrong(&ENGINE, "task", "pub(in crate::task) fn f(of: crate::element::Key) {} // …"), [""; 0]);
    assert_eq!(wrong(&ENGINE, "task", "/// As [`crate::job::Plan`] says."), [""; 0]);
    assert_eq!(wrong(&ENGINE, "sink", "use crate::operator::OperatorError;"), [""; 0]);
    let aside = wrong(&COMMANDS, "stored", "use crate::commands::state::state_sizes;");
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert!(aside[0].contains("`stored` and `state` stand side by side"), "{aside:?}");
    assert!(wrong(&CLI, "storage", "use crate::{commands, kept};")[0].contains("a group of rooms"));
    assert!(wrong(&CLI, "api", "use crate::attic::Box;")[0].contains("`attic` is no room of the command line"));
}

/// A crate of the project, by its folder, and those of the project that it may be built on.
struct Crate {
    name: &'static str,
    folder: &'static str,
    may_use: &'static [&'static str],
}

/// From the ground up. The guests' crates are apart from the host's: a component knows `wit/` and nothing of what runs it.
const CRATES: &[Crate] = &[
    Crate { name: "weir-secrets", folder: "host/secrets", may_use: &[] },
    Crate { name: "weir-engine", folder: "host/engine", may_use: &["weir-secrets"] },
    Crate { name: "weir-wasm", folder: "host/wasm", may_use: &["weir-secrets", "weir-engine"] },
    Crate { name: "weir-connectors", folder: "host/connectors", may_use: &["weir-secrets", "weir-engine"] },
    Crate { name: "weir", folder: "host/cli", may_use: &["weir-secrets", "weir-engine", "weir-wasm", "weir-connectors"] },
    Crate { name: "weir-guest-derive", folder: "guest-sdk/rust-derive", may_use: &[] },
    Crate { name: "weir-guest", folder: "guest-sdk/rust", may_use: &["weir-guest-derive"] },
    Crate { name: "weir-tests", folder: "tests", may_use: &["weir-engine", "weir-wasm", "weir-connectors", "weir"] },
];

/// What any other crate, a plugin or a guest of the tests, may be built on.
const GUEST_USES: &[&str] = &["weir-guest"];

/// The project's crates that a manifest depends on, for its code or for its tests.
fn depends_on(manifest: &str) -> Vec<&str> {
    let (mut used, mut in_dependencies) = (Vec::new(), false);
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            in_dependencies = table.ends_with("dependencies");
            used.extend(table.split_once("dependencies.").map(|(_, name)| name));
        } else if in_dependencies {
            used.extend(line.split(['.', '=', ' ']).next());
        }
    }
    used.retain(|name| *name == "weir" || name.starts_with("weir-"));
    used
}

/// The arrows of the crate in `folder`, whose manifest is `manifest`, that are wrong.
fn wrong_crates(folder: &str, manifest: &str) -> Vec<String> {
    let known = CRATES.iter().find(|one| one.folder == folder);
    let (name, may_use) = known.map_or((folder, GUEST_USES), |one| (one.name, one.may_use));
    // A crate names itself where its own tests want a feature of it.
    let wrong = depends_on(manifest).into_iter().filter(|used| *used != name && !may_use.contains(used));
    wrong.map(|used| format!("the arrow `{name}` → `{used}` goes up or aside: {name} may be built on {may_use:?}")).collect()
}

#[test]
fn every_crate_is_built_on_those_below_it_alone() {
    let root = fs::read_to_string(workspace().join("Cargo.toml")).expect("the workspace's manifest");
    let members = root.lines().find_map(|line| line.strip_prefix("members = [")).expect("the members stand in one line");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(CRATES.iter().all(|one| members.contains(&one.folder)), "{members:?}");
    let read = |folder: &str| fs::read_to_string(workspace().join(folder).join("Cargo.toml")).expect("a manifest");
    let wrong: Vec<String> = members.iter().flat_map(|folder| wrong_crates(folder, &read(folder))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_crate_that_is_built_on_one_above_it_is_named() {
    let wrong = |folder, manifest| wrong_crates(folder, manifest);
    let up = wrong("host/wasm", "[dependencies]\nweir-engine.workspace = true\nweir = { path = \"../cli\" }\n");
    assert_eq!(up, ["the arrow `weir-wasm` → `weir` goes up or aside: weir-wasm may be built on [\"weir-secrets\", \"weir-engine\"]"]);
    assert_eq!(wrong("host/cli", "[target.'cfg(unix)'.dependencies]\nweir-guest.workspace = true").len(), 1);
    assert_eq!(wrong("host/engine", "[dev-dependencies.weir-connectors]\npath = \"../connectors\"").len(), 1);
    assert_eq!(wrong("host/engine", "[dev-dependencies]\nweir-engine = { path = \".\", features = [\"testing\"] }"), [""; 0]);
    assert_eq!(wrong("plugins/enrich", "[dependencies]\nweir-guest.workspace = true\nweir-engine.workspace = true").len(), 1);
    assert_eq!(wrong("plugins/enrich", "[package]\nname = \"enrich\"\n[dependencies]\nweir-guest = \"1\"\n[features]\nweir = []"), [""; 0]);
}
