//! Files that a job writes itself, and whether a pattern can match one: a job that reads its own output never ends, or reads it twice.

use super::found::{FileId, Found};
use super::pattern::{Component, Pattern, Token};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a name of a written file may hold at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NamePart {
    /// This text.
    Text(&'static str),
    /// Any number of these characters.
    Some(fn(char) -> bool),
}

/// A folder that a job writes into, and the names that it gives there.
#[derive(Clone, Debug)]
pub struct Output {
    folder: PathBuf,
    /// For each kind of file the names on the way to it from the folder.
    files: Vec<Vec<Vec<NamePart>>>,
}

impl Output {
    /// Files of these names in `folder`, which is absolute and need not be there yet.
    pub(crate) fn new(folder: &Path, files: Vec<Vec<Vec<NamePart>>>) -> Self {
        Self { folder: folder.into(), files }
    }

    /// A job's storage in this folder: everything below it, as deep as its objects lie.
    pub fn storage(folder: &Path) -> Self {
        let anything = || vec![NamePart::Some(|c| c.is_ascii_graphic())];
        Self::new(folder, (1..=3).map(|depth| (0..depth).map(|_| anything()).collect()).collect())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// True where `pattern`, with which `found` was found, can match a file of this output, now or when it has been written.
    pub(crate) fn is_matched_by(&self, pattern: &Pattern, found: &Found) -> bool {
        let Some((id, missing)) = existing(&self.folder) else { return false };
        let mut places = found.places.get(&id).cloned().unwrap_or_default();
        for name in &missing {
            places = behind(pattern, &places, |component| takes_name(pattern, component, name));
        }
        self.files.iter().any(|names| {
            let (last, folders) = names.split_last().expect("a file has a name");
            let places = folders.iter().fold(places.clone(), |places, name| behind(pattern, &places, |component| takes(component, name)));
            let end = pattern.components.len();
            let last = behind(pattern, &places, |component| takes(component, last));
            last.contains(&end) || last.iter().any(|&place| place + 1 == end && pattern.components[place] == Component::AnyDepth)
        })
    }
}

/// The deepest folder on the way to `folder` that is there, and the names behind it that are not.
fn existing(folder: &Path) -> Option<(FileId, Vec<OsString>)> {
    let mut there = PathBuf::from("/");
    let mut missing: Vec<OsString> = Vec::new();
    for component in folder.components() {
        match component {
            std::path::Component::ParentDir => {
                if missing.pop().is_none() {
                    there = there.join("..").canonicalize().ok()?;
                }
            }
            std::path::Component::Normal(name) => match there.join(name).canonicalize() {
                Ok(next) if missing.is_empty() => there = next,
                Ok(_) | Err(_) => missing.push(name.into()),
            },
            std::path::Component::RootDir | std::path::Component::CurDir | std::path::Component::Prefix(_) => {}
        }
    }
    Some((FileId::of(&std::fs::metadata(there).ok()?), missing))
}

/// The places in the pattern behind a name that `takes` says which components take.
fn behind(pattern: &Pattern, places: &BTreeSet<usize>, takes: impl Fn(&Component) -> bool) -> BTreeSet<usize> {
    let mut next = BTreeSet::new();
    for &place in places {
        match pattern.components.get(place) {
            Some(Component::AnyDepth) => {
                // None of its folders are taken, or this name is one of them.
                let others = pattern.components.get(place + 1).filter(|other| takes(other));
                next.extend(others.map(|_| place + 2));
                if takes(&Component::AnyDepth) {
                    next.insert(place);
                }
            }
            Some(component) if takes(component) => {
                next.insert(place + 1);
            }
            Some(Component::Name(_) | Component::Fitting(_)) | None => {}
        }
    }
    next
}

fn takes_name(pattern: &Pattern, component: &Component, name: &OsStr) -> bool {
    match component {
        Component::Name(own) => own == name,
        Component::Fitting(tokens) => pattern.fits(tokens, name),
        Component::AnyDepth => !pattern.leaves_out(name),
    }
}

/// True where the component takes one of the names that these parts make.
fn takes(component: &Component, name: &[NamePart]) -> bool {
    let is_hidden = matches!(name.first(), Some(NamePart::Text(text)) if text.starts_with('.'));
    match component {
        Component::Name(own) => {
            let tokens: Option<Vec<Token>> = std::str::from_utf8(own.as_bytes()).ok().map(|own| own.chars().map(Token::Char).collect());
            tokens.is_some_and(|tokens| meet(&tokens, &spelled(name)))
        }
        Component::Fitting(tokens) => (!is_hidden || tokens.first() == Some(&Token::Char('.'))) && meet(tokens, &spelled(name)),
        Component::AnyDepth => !is_hidden,
    }
}

/// A place of a name that a job gives.
#[derive(Clone, Copy)]
enum Sign {
    One(char),
    Several(fn(char) -> bool),
}

fn spelled(name: &[NamePart]) -> Vec<Sign> {
    let mut signs = Vec::new();
    for part in name {
        match part {
            NamePart::Text(text) => signs.extend(text.chars().map(Sign::One)),
            NamePart::Some(of) => signs.push(Sign::Several(*of)),
        }
    }
    signs
}

/// True where one text fits both. Pairs of places are visited once.
fn meet(tokens: &[Token], signs: &[Sign]) -> bool {
    let mut seen = BTreeSet::from([(0, 0)]);
    let mut left = vec![(0, 0)];
    while let Some((token, sign)) = left.pop() {
        let (here, there) = (tokens.get(token), signs.get(sign));
        let mut next = Vec::new();
        match (here, there) {
            (None, None) => return true,
            (Some(Token::AnySequence), Some(Sign::One(_))) => next.extend([(token + 1, sign), (token, sign + 1)]),
            (Some(Token::AnySequence), Some(Sign::Several(_)) | None) => next.push((token + 1, sign)),
            (Some(one), Some(Sign::One(character))) if one.fits(Some(*character)) => next.push((token + 1, sign + 1)),
            (Some(one), Some(Sign::Several(of))) if (0..128u8).map(char::from).chain(one.itself()).any(|c| of(c) && one.fits(Some(c))) => {
                next.push((token + 1, sign))
            }
            (Some(_), Some(Sign::One(_) | Sign::Several(_)) | None) | (None, Some(_)) => {}
        }
        if let Some(Sign::Several(_)) = there {
            next.push((token, sign + 1));
        }
        left.extend(next.into_iter().filter(|pair| seen.insert(*pair)));
    }
    false
}

#[cfg(test)]
mod tests;
