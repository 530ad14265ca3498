//! What is said of a job file that is not there: which files near by could be meant.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Names that are told at most.
const SHOWN: usize = 5;
/// Entries of a folder that are looked at, at most.
const LOOKED_AT: usize = 10_000;

/// Which job files there are where none could be read at `path`, or could because it is a folder; `None`: it failed in another way, or nobody can look.
pub(super) fn hint(path: &Path, why: ErrorKind) -> Option<String> {
    let folder = match why {
        ErrorKind::IsADirectory => path.to_owned(),
        ErrorKind::NotFound => folder_of(path),
        _ => return None,
    };
    let place = if folder == Path::new(".") { "this folder".to_owned() } else { folder.display().to_string() };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => return no_entries(&place, error.kind()),
    };
    let Found { mut names, is_all } = found(entries.map(|entry| entry.map(|entry| entry.path())), LOOKED_AT);
    names.sort();
    if names.is_empty() {
        return is_all.then(|| format!("no file in {place} ends in .toml"));
    }
    let shown = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(SHOWN);
    let more = match (more, is_all) {
        (0, true) => String::new(),
        (0, false) => " and perhaps more".to_owned(),
        (more, true) => format!(" and {more} more"),
        (more, false) => format!(" and {more} more at least"),
    };
    Some(format!("in {place} there are: {shown}{more}"))
}

/// What is said of a folder that cannot be listed: one that is there is not told for gone.
fn no_entries(place: &str, why: ErrorKind) -> Option<String> {
    (why == ErrorKind::NotFound).then(|| format!("there is no folder {place}"))
}

/// Job files in a folder.
struct Found {
    names: Vec<String>,
    /// All of the folder was looked at.
    is_all: bool,
}

/// The job files among the first `most` of these entries.
fn found(mut entries: impl Iterator<Item = io::Result<PathBuf>>, most: usize) -> Found {
    let (mut names, mut is_all) = (Vec::new(), true);
    for entry in entries.by_ref().take(most) {
        match entry {
            Ok(path) if path.extension().is_some_and(|end| end == "toml") && path.is_file() => names.extend(name_of(path)),
            Ok(_) => {}
            Err(_) => is_all = false,
        }
    }
    Found { names, is_all: is_all && entries.next().is_none() }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn name_of(path: PathBuf) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_file_that_is_not_there_is_told_beside_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let place = folder.path().display();
        let said =
            |path: &Path| hint(path, fs::File::open(path).and_then(|mut file| std::io::read_to_string(&mut file)).unwrap_err().kind());
        assert_eq!(said(&at("job.toml")), Some(format!("no file in {place} ends in .toml")));
        assert_eq!(said(&at("gone/job.toml")), Some(format!("there is no folder {}", at("gone").display())));
        for name in ["b.toml", "a.toml", "notes.txt"] {
            fs::write(at(name), "").unwrap();
        }
        fs::create_dir(at("folder.toml")).unwrap();
        assert_eq!(said(&at("job.toml")), Some(format!("in {place} there are: `a.toml`, `b.toml`")));
        assert_eq!(said(folder.path()), said(&at("job.toml")), "a folder is none");
        (0..5).for_each(|number| fs::write(at(&format!("c{number}.toml")), "").unwrap());
        assert_eq!(said(&at("x")), Some(format!("in {place} there are: `a.toml`, `b.toml`, `c0.toml`, `c1.toml`, `c2.toml` and 2 more")));
    }

    #[test]
    fn a_folder_that_cannot_be_listed_is_not_told_for_gone() {
        assert_eq!(no_entries("x", ErrorKind::PermissionDenied), None);
        assert_eq!(no_entries("x", ErrorKind::NotFound), Some("there is no folder x".into()));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(hint(&folder.path().join("file/job.toml"), ErrorKind::NotFound), None, "what is no folder is there");
    }

    #[test]
    fn where_not_all_of_a_folder_was_looked_at_it_is_not_said_what_it_does_not_have() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.toml"), "").unwrap();
        let entries = || ["notes.txt", "a.toml"].map(|name| Ok(folder.path().join(name))).into_iter();
        let told = |most| {
            let Found { names, is_all } = found(entries(), most);
            (names.len(), is_all)
        };
        assert_eq!([told(1), told(2), told(3)], [(0, false), (1, true), (1, true)]);
        let broken = found(entries().chain([Err(ErrorKind::Other.into())]), 9);
        assert_eq!((broken.names.len(), broken.is_all), (1, false));
    }

    #[test]
    fn of_a_file_that_cannot_be_read_nothing_is_guessed() {
        assert_eq!(hint(Path::new("job.toml"), ErrorKind::PermissionDenied), None);
    }
}
