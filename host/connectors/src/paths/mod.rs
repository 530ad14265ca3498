//! Patterns of paths, and what they find: which files there are, each known by device and inode, and what could not be looked at.
//!
//! Invariants: a file is found once, under however many names; a folder is listed once for each place in the pattern, so that links which
//! lead back end the search there; what exists and cannot be looked at is an error or a remark, never taken for "not there".

mod file_name;
mod found;
mod output;
mod pattern;
mod walk;

pub(crate) use file_name::FileName;
pub(crate) use found::{FileId, Found};
pub(crate) use output::NamePart;
pub use output::Output;
pub(crate) use pattern::{Hidden, Pattern};
pub(crate) use walk::{DeadLinks, WalkError, kind_of, walk};

use std::path::{Path, PathBuf};

/// The regular files that a glob matches, relative to `folder`, hidden ones too, each once. A link to nothing, as editors lay them, is none.
pub fn files_matching(pattern: &str, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let pattern = Pattern::parse(pattern, Hidden::Match)?;
    let found = walk(&pattern, folder, DeadLinks::Remark).map_err(|error| error.to_string())?;
    Ok(found.files.into_iter().map(|file| file.path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn neither_names_that_are_no_text_nor_locks_of_editors_are_in_the_way_of_a_list_of_sources() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        for name in [&b"a.rs"[..], b".hidden.rs", b"\xff.rs"] {
            std::fs::write(folder.path().join("src").join(OsStr::from_bytes(name)), "").unwrap();
        }
        std::os::unix::fs::symlink("user@host.1", folder.path().join("src/.#a.rs")).unwrap();
        assert_eq!(files_matching("src/**/*.rs", folder.path()).unwrap().len(), 3);
        assert_eq!(files_matching("src/b*", folder.path()).unwrap(), [""; 0].map(PathBuf::from));
        assert!(files_matching("src", folder.path()).unwrap_err().contains("src: it is a folder"));
    }
}
