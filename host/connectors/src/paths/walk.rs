//! Looks for the files that fit a pattern, folder by folder.
//!
//! Folders that are reached over a link come last, so that a file's own name is the one that it is known by. What cannot be looked at ends
//! the search; what fits and is no file, or leads nowhere on the way, is remarked on.

use super::FileName;
use super::found::{FileId, Found, FoundFile};
use super::pattern::{Component, Pattern};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Files of one pattern.
const FILES_MAX: usize = 100_000;
/// Folders that are looked into.
const FOLDERS_MAX: usize = 100_000;
/// Folders in each other.
const DEPTH_MAX: usize = 100;
/// Names that are looked at in all folders.
const NAMES_MAX: usize = 5_000_000;

/// What ended the search.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub(crate) struct WalkError {
    /// As the user knows it.
    pub path: String,
    pub why: String,
    pub hint: Option<&'static str>,
}

/// The files that fit `pattern`, which begins at `base` unless it is absolute. A link to nothing that fits is what `dead_links` says.
pub(crate) fn walk(pattern: &Pattern, base: &Path, dead_links: DeadLinks) -> Result<Found, WalkError> {
    let start = if pattern.absolute { Path::new("/") } else { base };
    let mut walk = Walk::new(pattern, base, dead_links);
    walk.own.push(Folder { path: start.into(), place: 0, depth: 0, linked: false });
    let mut folders = 0;
    while let Some(folder) = walk.own.pop().or_else(|| walk.linked.pop_front()) {
        folders += 1;
        if folders > FOLDERS_MAX {
            return Err(walk.error(&folder.path, format!("more than {FOLDERS_MAX} folders would have to be looked into")));
        }
        walk.enter(&folder)?;
    }
    let Walk { mut found, .. } = walk;
    found.name_once(|path| FileName::of(path, base).to_string());
    Ok(found)
}

/// What follows where a link leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeadLinks {
    /// The search fails: what it should lead to is missing.
    Fail,
    /// It is remarked on.
    Remark,
}

/// A folder that is still to be looked into, from a place in the pattern on.
struct Folder {
    path: PathBuf,
    place: usize,
    depth: usize,
    linked: bool,
}

impl Folder {
    fn inner(&self, path: PathBuf, place: usize, linked: bool) -> Self {
        Self { path, place, depth: self.depth + 1, linked }
    }
}

struct Walk<'a> {
    pattern: &'a Pattern,
    base: &'a Path,
    dead_links: DeadLinks,
    own: Vec<Folder>,
    /// Those that are reached over a link.
    linked: VecDeque<Folder>,
    /// The path by which each folder was first looked into.
    first_paths: BTreeMap<FileId, PathBuf>,
    names: usize,
    found: Found,
}

impl<'a> Walk<'a> {
    fn new(pattern: &'a Pattern, base: &'a Path, dead_links: DeadLinks) -> Self {
        let (own, linked, first_paths) = (Vec::new(), VecDeque::new(), BTreeMap::new());
        Self { pattern, base, dead_links, own, linked, first_paths, names: 0, found: Found::default() }
    }

    fn shown(&self, path: &Path) -> String {
        FileName::of(path, self.base).to_string()
    }

    fn error(&self, path: &Path, why: impl Into<String>) -> WalkError {
        WalkError { path: self.shown(path), why: why.into(), hint: None }
    }

    fn enter(&mut self, folder: &Folder) -> Result<(), WalkError> {
        if folder.depth > DEPTH_MAX {
            return Err(self.error(&folder.path, format!("it lies more than {DEPTH_MAX} folders deep")));
        }
        let Some(component) = self.pattern.components.get(folder.place) else { return Ok(()) };
        let metadata = match fs::metadata(&folder.path) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => return Ok(()), // it has gone meanwhile, or the folder of the job file is none
            Err(error) => return Err(self.error(&folder.path, format!("look at it: {error}"))),
        };
        let id = FileId::of(&metadata);
        if !self.found.places.entry(id).or_default().insert(folder.place) {
            self.seen_before(folder, id);
            return Ok(());
        }
        self.first_paths.entry(id).or_insert_with(|| folder.path.clone());
        let next = folder.place + 1;
        match component {
            Component::Name(name) => self.look(folder, name, next),
            Component::Fitting(tokens) => {
                let pattern = self.pattern;
                let names = self.list(folder, |name| pattern.fits(tokens, name))?;
                names.iter().try_for_each(|name| self.look(folder, name, next))
            }
            Component::AnyDepth => self.look_below(folder),
        }
    }

    /// `**`: the pattern goes on in this folder and in all below it.
    fn look_below(&mut self, folder: &Folder) -> Result<(), WalkError> {
        let is_last = folder.place + 1 == self.pattern.components.len();
        let pattern = self.pattern;
        for name in self.list(folder, |name| !pattern.leaves_out(name))?.iter().rev() {
            let path = folder.path.join(name);
            let Some((metadata, is_link)) = self.seen(&path, DeadLinks::Remark)? else { continue };
            if metadata.is_dir() {
                self.descend(folder.inner(path, folder.place, folder.linked || is_link));
            } else if is_last {
                self.meet(path, &metadata, folder.linked || is_link)?;
            }
        }
        if !is_last {
            self.own.push(Folder { path: folder.path.clone(), place: folder.place + 1, ..*folder });
        }
        Ok(())
    }

    /// Something in `folder` whose name fits; `next` is the place in the pattern behind it.
    fn look(&mut self, folder: &Folder, name: &OsStr, next: usize) -> Result<(), WalkError> {
        let path = folder.path.join(name);
        let is_last = next == self.pattern.components.len();
        let is_named = matches!(self.pattern.components[folder.place], Component::Name(_));
        let dead_links = if is_last || is_named { self.dead_links } else { DeadLinks::Remark };
        let Some((metadata, is_link)) = self.seen(&path, dead_links)? else { return Ok(()) };
        match (is_last, metadata.is_dir()) {
            (true, _) => self.meet(path, &metadata, folder.linked || is_link)?,
            (false, true) => self.descend(folder.inner(path, next, folder.linked || is_link)),
            (false, false) => {}
        }
        Ok(())
    }

    fn descend(&mut self, folder: Folder) {
        if folder.linked { self.linked.push_back(folder) } else { self.own.push(folder) }
    }

    /// What lies at `path`, and whether that is a link to it; `None` where nothing does.
    fn seen(&mut self, path: &Path, dead_links: DeadLinks) -> Result<Option<(Metadata, bool)>, WalkError> {
        let cannot = |walk: &Self, error: io::Error| walk.error(path, format!("look at it: {error}"));
        let own = match fs::symlink_metadata(path) {
            Ok(own) => own,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(cannot(self, error)),
        };
        if !own.is_symlink() {
            return Ok(Some((own, false)));
        }
        let nowhere = match fs::metadata(path) {
            Ok(metadata) => return Ok(Some((metadata, true))),
            Err(error) if is_absent(&error) => {
                let to = fs::read_link(path).map(|to| to.display().to_string()).unwrap_or_default();
                format!("it is a link to {to:?}, and nothing is there")
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(cannot(self, error)),
            // A link that leads to itself.
            Err(error) => format!("it is a link that leads nowhere: {error}"),
        };
        match dead_links {
            DeadLinks::Fail => {
                Err(WalkError { hint: Some("take the link away, or put back what it leads to"), ..self.error(path, nowhere) })
            }
            DeadLinks::Remark => {
                self.found.remark(format!("{} is not looked into: {nowhere}", self.shown(path)));
                Ok(None)
            }
        }
    }

    /// Something that fits the whole pattern.
    fn meet(&mut self, path: PathBuf, metadata: &Metadata, linked: bool) -> Result<(), WalkError> {
        if metadata.is_file() {
            if self.found.files.len() >= FILES_MAX {
                return Err(self.error(&path, format!("more than {FILES_MAX} files match")));
            }
            self.found.files.push(FoundFile { path, id: FileId::of(metadata), linked });
            return Ok(());
        }
        let kind = kind_of(metadata.file_type());
        if self.pattern.is_literal() {
            let hint = if metadata.is_dir() {
                "`/*` behind it matches the files in it"
            } else {
                "the connector `stdin` reads what is piped into weir"
            };
            return Err(WalkError { hint: Some(hint), ..self.error(&path, format!("it is {kind}")) });
        }
        // Behind `**` the files of a folder that fits are looked for anyway.
        let above = self.pattern.components.len().checked_sub(2).map(|above| &self.pattern.components[above]);
        if !(metadata.is_dir() && above == Some(&Component::AnyDepth)) {
            self.found.remark(format!("{} matches and is not read: it is {kind}", self.shown(&path)));
        }
        Ok(())
    }

    fn list(&mut self, folder: &Folder, wanted: impl Fn(&OsStr) -> bool) -> Result<Vec<OsString>, WalkError> {
        let cannot = |walk: &Self, error: io::Error| walk.error(&folder.path, format!("list the folder: {error}"));
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder.path).map_err(|e| cannot(self, e))? {
            let name = entry.map_err(|e| cannot(self, e))?.file_name();
            self.names += 1;
            if self.names > NAMES_MAX {
                return Err(self.error(&folder.path, format!("more than {NAMES_MAX} names would have to be looked at")));
            }
            if wanted(&name) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn seen_before(&mut self, folder: &Folder, id: FileId) {
        let Some(first) = self.first_paths.get(&id).filter(|first| **first != folder.path).cloned() else { return };
        let (path, first_shown) = (self.shown(&folder.path), self.shown(&first));
        self.found.remark(match folder.path.starts_with(&first) {
            true => format!("{path} leads back up to {first_shown}, and is not followed again"),
            false => format!("{path} is {first_shown} under another name, and is looked into once"),
        });
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What something is, as one would say it.
pub(crate) fn kind_of(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        kind if kind.is_symlink() => "a link",
        _ => "no regular file",
    }
}

#[cfg(test)]
mod tests;
