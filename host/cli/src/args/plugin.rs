//! What can be said behind `weir plugin`.

use clap::{Args, Subcommand, ValueEnum, value_parser};
use std::path::PathBuf;

/// Looks at plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Shows what a plugin declares: name, version, inputs, outputs, states, imports, digest.
    #[command(after_help = "Example:\n  weir plugin inspect target/wasm32-unknown-unknown/release/my_plugin.wasm --output json")]
    Inspect(PluginArgs),
    /// Says whether a file is a plugin of this weir, and what is wrong where it is not.
    #[command(after_help = "Example:\n  weir plugin check target/wasm32-unknown-unknown/release/my_plugin.wasm")]
    Check(PluginArgs),
    /// Makes a plugin of a core module, of whatever language: the world's component type is added where it carries none.
    #[command(
        after_help = "Example:\n  weir plugin pack my_plugin.core.wasm -o my_plugin.wasm\n\nThe module exports what wit/operator.wit says, as `weir:operator/guest@0.2.0#describe` and so on, with `cabi_realloc` and `memory`."
    )]
    Pack {
        /// The core module.
        module: PathBuf,
        /// Where to write the component.
        #[arg(short = 'o', value_name = "COMPONENT")]
        component: PathBuf,
    },
    /// Writes a project: an operator that counts, its test, a job that runs it, and the SDK beside them, as this weir carries it.
    #[command(
        after_help = "Example:\n  weir plugin new count-visits --language rust\n  cd count-visits\n  weir plugin test\n  weir run job.toml\n\nNothing is fetched: what the language's own compiler needs is said by `weir plugin build`."
    )]
    New {
        /// The plugin's name, and its folder's: `a-z`, `0-9` and `-`.
        name: String,
        /// What it is written in.
        #[arg(short, long, value_enum)]
        language: Language,
    },
    /// Builds a project's plugin with its language's own compiler, and packs it.
    #[command(after_help = "Example:\n  weir plugin build\n  weir plugin build count-visits")]
    Build {
        /// The project's folder.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Puts the SDK that this weir carries into a project, in place of the one that is there.
    #[command(after_help = "Example:\n  weir plugin sdk\n  weir plugin sdk count-visits")]
    Sdk {
        /// The project's folder.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Pushes a plugin to an OCI registry, as the artefact that other tools for Wasm components take too. What the tag named before is replaced.
    #[command(
        after_help = "Examples:\n  weir plugin push count.wasm ghcr.io/team/count:1.2.0\n  weir plugin push count.wasm localhost:5000/count:dev --output json\n\nIt prints the digest, by which a job file may name it for good: oci:ghcr.io/team/count@sha256:….\nCredentials are those of `docker login` and its helpers, or WEIR_REGISTRY (the host that they are for), WEIR_REGISTRY_USER and\nWEIR_REGISTRY_PASSWORD or WEIR_REGISTRY_PASSWORD_FILE."
    )]
    Push {
        /// A component, or a core module that carries its component type: what is pushed is the component.
        file: PathBuf,
        /// Where to: `REGISTRY/NAME:TAG`, with `oci:` in front or without.
        #[arg(value_name = "REFERENCE")]
        reference: String,
        /// Speak to the registry without encryption. To one on this machine weir does so by itself.
        #[arg(long)]
        insecure_http: bool,
    },
    /// Pulls a plugin from an OCI registry, and keeps it by its digest: a job file may name it so.
    #[command(
        after_help = "Examples:\n  weir plugin pull ghcr.io/team/count:1.2.0\n  weir plugin pull oci:ghcr.io/team/count@sha256:… -o count.wasm\n\nWhat is not the component that its manifest names, or the manifest that the digest names, is refused: exit code 1."
    )]
    Pull {
        /// What: `REGISTRY/NAME:TAG` or `REGISTRY/NAME@sha256:DIGEST`, with `oci:` in front or without.
        #[arg(value_name = "REFERENCE")]
        reference: String,
        /// Also write it to this file.
        #[arg(short = 'o', value_name = "FILE")]
        file: Option<PathBuf>,
        /// Speak to the registry without encryption. To one on this machine weir does so by itself.
        #[arg(long)]
        insecure_http: bool,
    },
    /// Runs tests of plugins: records, watermarks and times that a file has, in the sandbox that jobs run them in, and what is to come of them. Exits with 1 where
    /// something else does.
    #[command(
        after_help = "Examples:\n  weir plugin test\n  weir plugin test tests/count.test.toml --resplit --forgetful\n  weir plugin test count.test.toml --plugin count_v2.wasm --only empty\n\nA file of tests:\n  job = \"job.toml\"\n  operator = \"count\"\n\n  [[test]]\n  name = \"a key's second record is counted\"\n\n  [[test.step]]\n  send = [{ key = \"a\", value = \"x\" }, { key = \"a\", value = \"y\" }]\n  expect = [{ key = \"a\", value = \"1\" }, { key = \"a\", value = \"2\" }]\n  state = [{ state = \"count\", key = \"a\", value = 2 }]\n\nA step has one of `send = […]`, `watermark = TIME`, `clock = TIME`, `end = true` and `renew = true` (a new instance), or none of them; and what is to come of it: `expect = […]` or `fails = \"…\"`, and `state = […]`. A record has `key`, `value` (or `json`, `hex`, `absent = true`), `time`, `headers`, `to` (another output). A test may have `config`, `operator`, `clock`, `schemas` and `kept = […]`, the state that it begins with. Times are milliseconds or texts like 2013-01-01T10:00:00Z."
    )]
    Test(PluginTestArgs),
}

/// A plugin to look at.
#[derive(Debug, Args)]
pub struct PluginArgs {
    /// A file with a component, or with a core module that carries its component type; or `oci:REGISTRY/NAME:TAG`, or `sha256:…` of one that was pulled.
    #[arg(value_name = "PLUGIN")]
    pub plugin: PathBuf,
    /// Speak to a registry without encryption. To one on this machine weir does so by itself.
    #[arg(long)]
    pub insecure_http: bool,
}

/// Which tests to run, and how.
#[derive(Debug, Args)]
pub struct PluginTestArgs {
    /// The files of tests; without one all that are called *.test.toml, here and in `tests`.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// This plugin, a file or `oci:REGISTRY/NAME:TAG`, in place of those that the job files name, which then are not built.
    #[arg(long, value_name = "PLUGIN")]
    pub plugin: Option<PathBuf>,
    /// Only tests with this in their name.
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// Run each test so many times more (20 where no number is said), with its batches cut at random: that must change nothing.
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = "20", value_parser = value_parser!(u64).range(1..=100_000))]
    pub resplit: Option<u64>,
    /// Run each test once more with a new instance for each call: that must change nothing.
    #[arg(long)]
    pub forgetful: bool,
    /// What batches are cut by in the first of the runs of --resplit.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
}

/// A language that there is an SDK for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust.
    Rust,
    /// C.
    C,
    /// Go.
    #[value(alias = "golang")]
    Go,
    /// JavaScript, and TypeScript.
    #[value(alias = "typescript", alias = "js", alias = "ts")]
    Javascript,
    /// Python.
    Python,
}
