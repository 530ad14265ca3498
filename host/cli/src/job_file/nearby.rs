//! What is said of a job file that is not there: which files near by could be meant. A file could that looks like a job, in the folder or one below it.

use super::FILE_MAX_BYTES;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Names that are told at most.
const SHOWN: usize = 5;
/// Entries of folders that are looked at, at most.
const LOOKED_AT: usize = 10_000;
/// Files that are read, at most.
const READ: usize = 200;

/// Which job files there are where none could be read at `path`, or could because it is a folder; `None`: it failed in another way, or nobody can look.
pub(crate) fn hint(path: &Path, why: ErrorKind) -> Option<String> {
    let folder = match why {
        ErrorKind::IsADirectory => path.to_owned(),
        ErrorKind::NotFound => folder_of(path),
        _ => return None,
    };
    let place = if folder == Path::new(".") { "this folder".to_owned() } else { folder.display().to_string() };
    let mut search = Search { found: Vec::new(), entries: LOOKED_AT, reads: READ, is_all: true };
    let below = match fs::read_dir(&folder) {
        Ok(entries) => search.look(entries.map(|entry| entry.map(|entry| entry.path()))),
        Err(error) => return no_entries(&place, error.kind()),
    };
    for inner in below {
        match fs::read_dir(&inner) {
            Ok(entries) => _ = search.look(entries.map(|entry| entry.map(|entry| entry.path()))),
            Err(_) => search.is_all = false,
        }
    }
    search.told(&folder, &place)
}

/// What is said of a folder that cannot be listed: one that is there is not told for gone.
fn no_entries(place: &str, why: ErrorKind) -> Option<String> {
    (why == ErrorKind::NotFound).then(|| format!("there is no folder {place}"))
}

/// A search for job files.
struct Search {
    /// In the order of the folders, by name in each.
    found: Vec<PathBuf>,
    /// Entries that may still be looked at.
    entries: usize,
    /// Files that may still be read.
    reads: usize,
    /// All that was to be looked at has been.
    is_all: bool,
}

impl Search {
    /// Looks at a folder's entries. Gives the folders among them, by name.
    fn look(&mut self, entries: impl Iterator<Item = io::Result<PathBuf>>) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in entries {
            if self.entries == 0 {
                self.is_all = false;
                break;
            }
            self.entries -= 1;
            match entry {
                Ok(path) if path.extension().is_some_and(|end| end == "toml") && path.is_file() => files.push(path),
                Ok(path) if !is_hidden(&path) && path.is_dir() => folders.push(path),
                Ok(_) => {}
                Err(_) => self.is_all = false,
            }
        }
        files.sort();
        folders.sort();
        for file in files {
            if self.reads == 0 {
                self.is_all = false;
                break;
            }
            self.reads -= 1;
            self.found.extend(looks_like_a_job(&file).then_some(file));
        }
        folders
    }

    /// What was found in `folder`, which is called `place`; `None` where nothing was and not all was looked at.
    fn told(&self, folder: &Path, place: &str) -> Option<String> {
        if self.found.is_empty() {
            let nothing =
                || format!("no file in {place} or one folder below it looks like a job file: `name` and `[source.ID]` in a .toml");
            return self.is_all.then(nothing);
        }
        let name = |file: &PathBuf| format!("`{}`", file.strip_prefix(folder).unwrap_or(file).display());
        let shown = self.found.iter().take(SHOWN).map(name).collect::<Vec<_>>().join(", ");
        let more = match (self.found.len().saturating_sub(SHOWN), self.is_all) {
            (0, true) => String::new(),
            (0, false) => " and perhaps more".to_owned(),
            (more, true) => format!(" and {more} more"),
            (more, false) => format!(" and {more} more at least"),
        };
        Some(format!("in {place} there are: {shown}{more}"))
    }
}

/// True of a file with a job's `name` or a source with a connector; what else is wrong with it does not matter here.
fn looks_like_a_job(file: &Path) -> bool {
    let is_short = fs::metadata(file).is_ok_and(|file| file.len() <= FILE_MAX_BYTES);
    let Some(text) = is_short.then(|| fs::read_to_string(file).ok()).flatten() else { return false };
    let (table, _) = DeTable::parse_recoverable(&text);
    let table = table.get_ref();
    let is_source = |source: &DeValue<'_>| source.as_table().is_some_and(|source| source.contains_key("connector"));
    let has_name = table.get("name").is_some_and(|name| name.get_ref().as_str().is_some());
    let sources = table.get("source").and_then(|sources| sources.get_ref().as_table());
    has_name || sources.is_some_and(|sources| sources.values().any(|source| is_source(source.get_ref())))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "name = \"j\"\n[source.in]\nconnector = \"stdin\"\n";

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// What is said where the job file at `path` cannot be read.
    fn said(path: &Path) -> Option<String> {
        hint(path, fs::File::open(path).and_then(|mut file| io::read_to_string(&mut file)).unwrap_err().kind())
    }

    #[test]
    fn a_job_file_that_is_not_there_is_told_beside_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let place = folder.path().display();
        let nothing = format!("no file in {place} or one folder below it looks like a job file: `name` and `[source.ID]` in a .toml");
        assert_eq!(said(&at("job.toml")), Some(nothing));
        assert_eq!(said(&at("gone/job.toml")), Some(format!("there is no folder {}", at("gone").display())));
        write(folder.path(), &[("b.toml", JOB), ("a.toml", JOB), ("notes.txt", JOB)]);
        fs::create_dir(at("folder.toml")).unwrap();
        assert_eq!(said(&at("job.toml")), Some(format!("in {place} there are: `a.toml`, `b.toml`")));
        assert_eq!(said(folder.path()), said(&at("job.toml")), "a folder is none");
        (0..5).for_each(|number| fs::write(at(&format!("c{number}.toml")), JOB).unwrap());
        assert_eq!(said(&at("x")), Some(format!("in {place} there are: `a.toml`, `b.toml`, `c0.toml`, `c1.toml`, `c2.toml` and 2 more")));
    }

    #[test]
    fn only_what_looks_like_a_job_is_told_and_one_folder_down_too() {
        let folder = tempfile::tempdir().unwrap();
        let others = [
            ("Cargo.toml", "[package]\nname = \"x\"\n"),
            ("clippy.toml", "disallowed-methods = []\n"),
            ("empty.toml", ""),
            ("vendored.toml", "[source.crates-io]\nreplace-with = \"vendored-sources\"\n"),
            ("plugins/Cargo.toml", "[package]\nname = \"x\"\n"),
            (".hidden/job.toml", JOB),
            ("plugins/deep/job.toml", JOB),
        ];
        let jobs = [
            ("plugins/nameless.toml", "[source.in]\nconnector = \"stdin\"\n"),
            ("plugins/job.toml", JOB),
            ("own.toml", "name = \"only\"\n"),
            ("half.toml", "name = \"half\"\n[source.in\n"),
        ];
        write(folder.path(), &others);
        write(folder.path(), &jobs);
        let place = folder.path().display();
        let expect = format!("in {place} there are: `half.toml`, `own.toml`, `plugins/job.toml`, `plugins/nameless.toml`");
        assert_eq!(said(&folder.path().join("job.toml")), Some(expect));
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
        write(folder.path(), &[("a.toml", JOB), ("b.toml", JOB)]);
        let entries = || ["notes.txt", "a.toml"].map(|name| Ok(folder.path().join(name))).into_iter();
        let told = |entries: &mut dyn Iterator<Item = io::Result<PathBuf>>, most: usize, reads: usize| {
            let mut search = Search { found: Vec::new(), entries: most, reads, is_all: true };
            search.look(entries);
            (search.found.len(), search.is_all, search.told(folder.path(), "x"))
        };
        let is_told = Some("in x there are: `a.toml`".to_owned());
        assert_eq!(told(&mut entries(), 1, 9), (0, false, None));
        assert_eq!(told(&mut entries(), 2, 9), (1, true, is_told.clone()));
        assert_eq!(told(&mut entries(), 9, 0), (0, false, None));
        let perhaps = is_told.map(|told| told + " and perhaps more");
        assert_eq!(told(&mut entries().chain([Err(ErrorKind::Other.into())]), 9, 9), (1, false, perhaps.clone()));
        assert_eq!(told(&mut ["a.toml", "b.toml"].map(|name| Ok(folder.path().join(name))).into_iter(), 9, 1), (1, false, perhaps));
    }

    #[test]
    fn of_a_file_that_cannot_be_read_nothing_is_guessed() {
        assert_eq!(hint(Path::new("job.toml"), ErrorKind::PermissionDenied), None);
    }
}
