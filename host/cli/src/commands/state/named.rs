//! What `weir state` is pointed at, told apart: a savepoint, a job file, or a running job's name. Pure; what lies at a path is asked for.
//!
//! A URL is a savepoint's. Anything else is first taken for a path, and where nothing lies there that can be looked into, for a job's name,
//! unless it has a slash, which no name has.

use crate::failure::Failure;
use crate::storage::savepoint_url;
use std::path::{Path, PathBuf};
use weir_engine::element::CheckpointId;
use weir_engine::job::SAVEPOINT;
use weir_engine::storage::StorageUrl;

/// What is looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A savepoint, by its absolute URL.
    Savepoint(String),
    /// A job, by its job file.
    JobFile(PathBuf),
    /// A job that runs, by its name.
    Running(String),
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    File,
    /// A folder with a savepoint in it.
    Savepoint,
    /// Any other folder.
    Folder,
    Nothing,
}

impl Lies {
    /// What lies there now.
    pub fn at(path: &str) -> Self {
        let path = Path::new(path);
        match path.join(SAVEPOINT).is_file() {
            true => Self::Savepoint,
            false if path.is_dir() => Self::Folder,
            false if path.is_file() => Self::File,
            false => Self::Nothing,
        }
    }
}

impl Named {
    /// Tells what `text` names.
    pub fn of(text: &str, lies: impl Fn(&str) -> Lies) -> Result<Self, Failure> {
        if StorageUrl::parse(text).is_ok() {
            return Ok(Self::Savepoint(savepoint_url(text)?));
        }
        match lies(text) {
            Lies::File => Ok(Self::JobFile(text.into())),
            Lies::Savepoint => Ok(Self::Savepoint(savepoint_url(&format!("file:{text}"))?)),
            // Opening it says what is missing in it.
            Lies::Folder if text.contains('/') => Ok(Self::Savepoint(savepoint_url(&format!("file:{text}"))?)),
            // What is wrong with a URL is said better there.
            Lies::Nothing if text.contains(':') => Ok(Self::Savepoint(savepoint_url(text)?)),
            Lies::Nothing if text.contains('/') => Err(Failure::Usage {
                message: format!("`{text}`: there is neither a job file nor the folder of a savepoint"),
                hint: "`weir savepoint list JOBFILE` shows where a job's savepoints are".into(),
            }),
            Lies::Folder | Lies::Nothing => Ok(Self::Running(text.to_owned())),
        }
    }

    /// The same, with the checkpoint behind the last `@` where digits alone follow it and the whole is nothing by itself.
    pub fn with_checkpoint(text: &str, lies: impl Fn(&str) -> Lies) -> Result<(Self, Option<CheckpointId>), Failure> {
        let is_whole = StorageUrl::parse(text).is_ok() || lies(text) != Lies::Nothing;
        let Some((named, id)) = at_checkpoint(text).filter(|_| !is_whole) else { return Ok((Self::of(text, lies)?, None)) };
        match Self::of(named, lies)? {
            Self::Savepoint(_) => Err(not_of_savepoints(named, &format!("@{id}"))),
            of_job @ (Self::JobFile(_) | Self::Running(_)) => Ok((of_job, Some(id))),
        }
    }
}

/// A savepoint holds one checkpoint, so there is nothing for `option` to choose.
pub(super) fn not_of_savepoints(savepoint: &str, option: &str) -> Failure {
    let message = format!("`{option}` does not go with a savepoint, which is one checkpoint: {savepoint}");
    Failure::Usage { message, hint: format!("leave `{option}` out, or name the job") }
}

fn at_checkpoint(text: &str) -> Option<(&str, CheckpointId)> {
    let (named, id) = text.rsplit_once('@')?;
    // A number is parsed from a sign as well.
    let id = id.bytes().all(|byte| byte.is_ascii_digit()).then_some(id)?;
    Some((named, CheckpointId(id.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a job file, savepoints and other things, with `@` in their names and without.
    fn lies(path: &str) -> Lies {
        match path {
            "job.toml" | "a@b/job.toml" | "job@7" => Lies::File,
            "backup" | "/b/1" | "/b/daily@12" | "a:b" => Lies::Savepoint,
            "words" | "/b" => Lies::Folder,
            _ => Lies::Nothing,
        }
    }

    /// In short: the kind and what it is called, behind it the checkpoint, or the error.
    #[track_caller]
    fn check(text: &str, expect: &str) {
        let shown = match Named::with_checkpoint(text, lies) {
            Ok((named, id)) => {
                let named = match named {
                    Named::Savepoint(url) => format!("savepoint {url}"),
                    Named::JobFile(path) => format!("job file {}", path.display()),
                    Named::Running(name) => format!("running {name}"),
                };
                named + &id.map(|id| format!(" at {id}")).unwrap_or_default()
            }
            Err(failure) => format!("exit {}: {}", failure.exit_code(), failure.text()),
        };
        assert_eq!(shown, expect, "{text}");
    }

    #[test]
    fn a_job_is_named_by_file_or_name_with_a_checkpoint_or_without() {
        check("job.toml", "job file job.toml");
        check("job.toml@12", "job file job.toml at 12");
        check("words", "running words");
        check("words@12", "running words at 12");
        check("other", "running other");
    }

    #[test]
    fn a_savepoint_is_named_by_url_or_folder() {
        let here = std::env::current_dir().expect("a folder");
        check("s3://bucket/a/", "savepoint s3://bucket/a");
        check("file:/anywhere", "savepoint file:/anywhere");
        check("/b/1", "savepoint file:/b/1");
        check("backup", &format!("savepoint file:{}/backup", here.display()));
        check("a:b", &format!("savepoint file:{}/a:b", here.display()));
        // That it is none is for its opening to say.
        check("/b", "savepoint file:/b");
    }

    #[test]
    fn a_path_may_have_an_at_in_it() {
        check("a@b/job.toml", "job file a@b/job.toml");
        check("a@b/job.toml@3", "job file a@b/job.toml at 3");
        check("job@7", "job file job@7");
        check("job@7@3", "job file job@7 at 3");
        check("/b/daily@12", "savepoint file:/b/daily@12");
        check("file:/b/monthly@12", "savepoint file:/b/monthly@12");
        check("words@", "running words@");
        check("words@+3", "running words@+3");
    }

    #[test]
    fn what_names_nothing_is_refused() {
        check("/b/1@12", "exit 2: `@12` does not go with a savepoint, which is one checkpoint: /b/1");
        check("s3://bucket/a@12", "exit 2: `@12` does not go with a savepoint, which is one checkpoint: s3://bucket/a");
        check("c/job.toml", "exit 2: `c/job.toml`: there is neither a job file nor the folder of a savepoint");
        check("memory:", "exit 2: `memory:`: memory is gone with its process");
        check("gs://bucket/a", "exit 2: `gs://bucket/a`: storage on `gs:` is not built yet");
    }
}
