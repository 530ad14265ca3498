//! What a search has found, each file once.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Remarks of a search; the others are counted.
const REMARKS_MAX: usize = 20;

/// What a file or folder is known by, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Of what is there.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{:x}", self.device, self.inode)
    }
}

/// A regular file that fits.
#[derive(Clone, Debug)]
pub(crate) struct FoundFile {
    pub path: PathBuf,
    pub id: FileId,
    /// True where a link is part of the way to it.
    pub linked: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In the order of the paths' bytes.
    pub files: Vec<FoundFile>,
    /// Lines about what fits and is not read, or is read under another name.
    pub remarks: Vec<String>,
    /// Places in the pattern that each folder was looked into for.
    pub(super) places: BTreeMap<FileId, BTreeSet<usize>>,
    /// Remarks beyond those that are kept.
    more: usize,
}

impl Found {
    /// Keeps one name of each file: the first of those that no link is part of, else the first.
    pub(super) fn name_once(&mut self, shown: impl Fn(&Path) -> String) {
        self.files.sort_by(|a, b| (a.linked, a.path.as_os_str()).cmp(&(b.linked, b.path.as_os_str())));
        let mut names: BTreeMap<FileId, PathBuf> = BTreeMap::new();
        for file in std::mem::take(&mut self.files) {
            match names.get(&file.id) {
                None => {
                    names.insert(file.id, file.path.clone());
                    self.files.push(file);
                }
                Some(name) if *name == file.path => {}
                Some(name) => self.remark(format!("{} is {} under another name, and is read once", shown(&file.path), shown(name))),
            }
        }
        self.files.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
        if self.more > 0 {
            self.remarks.push(format!("{} more things were found that are not read, or read once", self.more));
        }
    }

    /// Adds a line, or counts it where there are many.
    pub(super) fn remark(&mut self, line: String) {
        if self.remarks.len() < REMARKS_MAX { self.remarks.push(line) } else { self.more += 1 }
    }
}
