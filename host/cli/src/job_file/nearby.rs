//! What is said of a job file that is not there: which files near by could be meant.

use std::fs;
use std::io::ErrorKind;
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
    let Ok(entries) = fs::read_dir(&folder) else {
        return (why == ErrorKind::NotFound).then(|| format!("there is no folder {place}"));
    };
    let files = entries.take(LOOKED_AT).filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file());
    let mut names: Vec<String> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).filter_map(name_of).collect();
    names.sort();
    if names.is_empty() {
        return Some(format!("no file in {place} ends in .toml"));
    }
    let shown = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("in {place} there are: {shown}{more}"))
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
    fn of_a_file_that_cannot_be_read_nothing_is_guessed() {
        assert_eq!(hint(Path::new("job.toml"), ErrorKind::PermissionDenied), None);
    }
}
