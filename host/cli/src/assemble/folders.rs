//! Folders that steps of one job write into: each has to have its own, or nobody can tell whose records lie there.

use crate::job_file::{JobFile, Problem};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Sinks that write into the folder of another.
pub(super) fn shared(job: &JobFile) -> Vec<Problem> {
    let mut owners = BTreeMap::new();
    let mut problems = Vec::new();
    for step in &job.sinks {
        let Some(output) = weir_connectors::output(&step.connector.value, &step.settings.values, &job.folder) else { continue };
        let id = &step.id.value;
        let Some(owner) = owners.insert(one_name(output.folder()), id) else { continue };
        let span = step.settings.spans.get("path").unwrap_or(&step.id.span).clone();
        let message = format!("`{id}` writes into the folder that `{owner}` writes into");
        problems.push(Problem::new(span, message).hint("give each sink a folder of its own; a sink may have several `inputs`"));
    }
    problems
}

/// One name for a folder, however it is reached: what is there is followed, and what is not there yet stays as it was written.
fn one_name(path: &Path) -> PathBuf {
    let (mut there, mut missing) = (without_dots(path), Vec::<OsString>::new());
    loop {
        if let Ok(found) = there.canonicalize() {
            return missing.iter().rev().fold(found, |path, name| path.join(name));
        }
        match (there.file_name().map(ToOwned::to_owned), there.parent().map(Path::to_owned)) {
            (Some(name), Some(parent)) => {
                missing.push(name);
                there = parent;
            }
            (None, _) | (_, None) => return path.to_owned(),
        }
    }
}

/// Without `.` and, where that leads back out of what is not there, without `..`.
fn without_dots(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if !found.exists() => _ = found.pop(),
            Component::ParentDir | Component::Normal(_) | Component::Prefix(_) | Component::RootDir => found.push(part),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_file::{SourceText, parse};

    /// What is said of two sinks with these paths, in a folder where `real` is and `link` leads there.
    #[track_caller]
    fn check(first: &str, second: &str, are_one: bool) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("real")).expect("a folder");
        #[cfg(unix)]
        std::os::unix::fs::symlink("real", folder.path().join("link")).expect("a link");
        let sink = |id: &str, path: &str| format!("[sink.{id}]\nconnector = \"file\"\npath = \"{path}\"\ninput = \"in\"\n");
        let text = format!("name = \"j\"\n[source.in]\nconnector = \"generator\"\n{}{}", sink("a", first), sink("b", second));
        let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, folder.path(), 1).expect("a fine job");
        let said: Vec<_> = shared(&job).into_iter().map(|problem| problem.message).collect();
        let expect = are_one.then(|| "`b` writes into the folder that `a` writes into".to_owned());
        assert_eq!(said, Vec::from_iter(expect), "{first} and {second}");
    }

    #[test]
    fn a_folder_is_known_by_every_name_that_it_has() {
        check("out", "other", false);
        check("out", "out", true);
        check("out", "./out/", true);
        check("out", "new/../out", true);
        check("out", "out/below", false);
        check("real/out", "link/out", true);
        check("real", "link", true);
    }
}
