//! Whether an artefact is older than what it is made from.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How an artefact stands to its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// There is none.
    Missing,
    /// A source has changed since, or is gone.
    Older {
        /// That source.
        than: PathBuf,
    },
    /// Nothing to do.
    Fresh,
}

/// Compares times of modification.
pub(super) fn freshness(artefact: &Path, sources: &[PathBuf]) -> Freshness {
    let Some(built) = modified(artefact) else { return Freshness::Missing };
    let newer = sources.iter().find(|source| modified(source).is_none_or(|changed| changed > built));
    newer.map_or(Freshness::Fresh, |than| Freshness::Older { than: than.clone() })
}

/// When what an artefact is made from changed last; `None`: nothing of it is known, or it is gone.
pub(super) fn changed_last(sources: &[PathBuf]) -> Option<SystemTime> {
    sources.iter().filter_map(|source| modified(source)).max()
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// The sources that cargo has noted in the `.d` file beside the artefact; `None` where there is no such file.
pub(super) fn dep_info_sources(artefact: &Path, folder: &Path) -> Option<Vec<PathBuf>> {
    sources_in(&artefact.with_extension("d"), folder)
}

/// Where `weir plugin build` notes what a component is made of, in cargo's form.
pub(crate) fn noted_beside(component: &Path) -> PathBuf {
    let folder = component.parent().unwrap_or(Path::new(""));
    folder.join("target").join(component.file_name().unwrap_or_default()).with_extension("d")
}

/// What it has noted there.
pub(super) fn noted_sources(component: &Path) -> Vec<PathBuf> {
    sources_in(&noted_beside(component), component.parent().unwrap_or(Path::new(""))).unwrap_or_default()
}

fn sources_in(noted: &Path, folder: &Path) -> Option<Vec<PathBuf>> {
    let text = std::fs::read_to_string(noted).ok()?;
    Some(dep_info(&text).into_iter().map(|source| folder.join(source)).collect())
}

/// The prerequisites of all rules in a makefile as cargo writes it: `target: source source`, blanks in names as `\ `.
pub(super) fn dep_info(text: &str) -> Vec<String> {
    let rules = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    rules.flat_map(|(_, sources)| words(sources)).collect()
}

fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, words.last_mut()) {
            ('\\', Some(word)) if characters.peek() == Some(&' ') => {
                word.push(' ');
                characters.next();
            }
            (' ', _) => words.push(String::new()),
            (character, Some(word)) => word.push(character),
            (_, None) => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The files that globs match, relative to `folder`.
pub(super) fn glob_sources(globs: &[String], folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut sources = Vec::new();
    for pattern in globs {
        let files = weir_connectors::files_matching(pattern, folder);
        sources.extend(files.map_err(|error| format!("`sources`: find the files of `{pattern}`: {error}"))?);
    }
    Ok(sources)
}
