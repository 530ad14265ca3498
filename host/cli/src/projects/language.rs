//! The languages that there is an SDK for: what a project in each is made of, and what builds it.

use super::Project;
use super::{c, go, javascript, python, rust};
use crate::args::Language;
use crate::failure::Failure;
use clap::ValueEnum;
use std::path::PathBuf;

/// Builds a project, telling of what takes time: where the component is then, or the core module.
pub type Build = fn(&Project, &dyn Fn(&str)) -> Result<PathBuf, Failure>;

/// What is said of a language.
pub struct Profile {
    /// The language's name for people.
    pub name: &'static str,
    /// What is written on the command line and in `weir.toml`.
    pub short: &'static str,
    /// The operator's file in a new project.
    pub operator: &'static str,
    /// What a plugin is made of where `weir.toml` does not say it: a file, or a folder.
    pub source: &'static str,
    /// The SDK's page, below the SDK's folder.
    pub documentation: &'static str,
    /// Globs of what a plugin is made from.
    pub sources: &'static [&'static str],
    /// The folders that its SDK is made of, from the workspace's root.
    pub sdk: &'static [&'static str],
    /// Files of a new project: the template of each, and where it goes.
    pub files: &'static [(&'static str, &'static str)],
    /// Files of the SDK's folder besides, likewise.
    pub sdk_files: &'static [(&'static str, &'static str)],
    /// Builds a project.
    pub build: Build,
}

impl Language {
    /// What is said of it.
    pub fn profile(self) -> &'static Profile {
        match self {
            Self::Rust => &rust::PROFILE,
            Self::C => &c::PROFILE,
            Self::Go => &go::PROFILE,
            Self::Javascript => &javascript::PROFILE,
            Self::Python => &python::PROFILE,
        }
    }

    /// The one that is written so.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|language| language.profile().short == name)
    }

    /// All names, for a hint.
    pub fn names() -> String {
        let names: Vec<_> = Self::value_variants().iter().map(|language| format!("`{}`", language.profile().short)).collect();
        format!("it has one for {}", names.join(", "))
    }
}
