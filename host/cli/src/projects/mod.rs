//! A plugin's project: `new` writes one, with the SDK beside it as this binary carries it, and `build` makes a component of it with the language's own compiler.
//!
//! A project is a folder with a `weir.toml`, which names the plugin and its language. Nothing here knows a job.

mod build;
mod c;
mod carried;
mod go;
mod javascript;
mod language;
mod new;
mod pack;
mod python;
mod rust;

pub use build::{Built, build};
pub use new::{new, write_sdk};
pub use pack::{write_component, write_whole};

use crate::args::Language;
use crate::failure::Failure;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use weir_engine::{EngineError, ErrorKind};

/// What names a project's folder.
const MANIFEST: &str = "weir.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    plugin: PluginTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PluginTable {
    name: String,
    language: String,
    source: Option<String>,
}

/// A project that there is.
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// The plugin's name, which its file has too.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// What the plugin is made of, from the folder: a file, or a folder of them.
    pub source: String,
}

impl Project {
    /// Reads the project in `folder`.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(MANIFEST);
        let refused =
            |message: String, hint: &str| Failure::Usage { message: format!("{}: {message}", path.display()), hint: hint.to_owned() };
        let folder = &std::path::absolute(folder).map_err(|error| refused(error.to_string(), "name a folder that is there"))?;
        let text = std::fs::read_to_string(&path)
            .map_err(|error| refused(error.to_string(), "`weir plugin new NAME --language LANGUAGE` makes a project"))?;
        let Manifest { plugin: PluginTable { name, language, source } } = toml::from_str(&text).map_err(|error| {
            refused(error.to_string().trim_end().to_owned(), "it has `name` and `language` below [plugin], and perhaps `source`")
        })?;
        let known = Language::of_name(&language).ok_or_else(|| refused(format!("weir has no SDK for `{language}`"), &Language::names()))?;
        check_name(&name).map_err(|what| refused(what, "write another `name`"))?;
        let source = source.unwrap_or_else(|| known.profile().source.to_owned());
        Ok(Self { folder: folder.to_owned(), name, language: known, source })
    }

    /// Where its component is.
    pub fn component(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.name))
    }
}

/// Names that every language's packages may have, and files: `a-z`, `0-9` and `-`, beginning with a letter, 64 at most.
fn check_name(name: &str) -> Result<(), String> {
    let is_right = (1..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if is_right {
        Ok(())
    } else {
        Err(format!("`{name}` is no name of a plugin: it has 1 to 64 of `a-z`, `0-9` and `-`, and begins with a letter"))
    }
}

/// A file that cannot be written or read.
fn failed(what: &str, path: &Path, error: &std::io::Error) -> EngineError {
    EngineError::new(ErrorKind::FixInput, format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
