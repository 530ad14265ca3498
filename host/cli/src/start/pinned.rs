//! Runs what a checkpoint or savepoint keeps beside its state: the components, and a savepoint's job file.

use crate::failure::Failure;
use crate::job_file::{JobFile, SourceText, parse};
use crate::plugins::{PluginOrigins, stored_plugins};
use crate::process::cores;
use crate::storage::with_savepoint;
use crate::terminal::Screen;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use weir_engine::checkpoint::{CheckpointMetadata, Pinned, paths};
use weir_engine::job::{History, Origin, SavepointOpener, StartMode, load_metadata, open_savepoint, savepoint_job_file};
use weir_engine::runtime::Clock;
use weir_engine::storage::{StorageUrl, Store};
use weir_engine::{EngineError, ErrorKind};

/// The job file of a savepoint, with the folder that its relative paths begin at: [`project_folder`].
pub(crate) fn job_of_savepoint(screen: &Screen, url: &str) -> Result<JobFile, Failure> {
    let (folder, text) = with_savepoint(url, |store, runtime| async move {
        let (savepoint, _) = open_savepoint(&*store, &*runtime.clock).await?;
        let text = savepoint_job_file(&*store, &*runtime.clock, &savepoint).await?;
        Ok((savepoint.job_folder, text))
    })?;
    let Some(text) = text else {
        let message = format!("the savepoint {url} holds no job file");
        return Err(Failure::Usage { message, hint: format!("name one: `weir run JOB --from {url}`") });
    };
    let text = String::from_utf8(text.into())
        .map_err(|error| EngineError::new(ErrorKind::Corrupt, format!("read the job file of the savepoint {url}: {error}")))?;
    let source = SourceText { name: format!("{url}/job.toml").into(), text: text.into() };
    let here = std::env::current_dir()
        .map_err(|error| EngineError::new(ErrorKind::FixInput, format!("find the folder that weir was started in: {error}")))?;
    let folder = project_folder(url, &parse(source.clone(), &here, cores())?, folder.map(PathBuf::from)).unwrap_or(here);
    screen.notice(&format!("the job file is the savepoint's; its relative paths begin at {}", folder.display()));
    Ok(parse(source, &folder, cores())?)
}

/// The folder that the job file of the savepoint at `url` belongs to: the one above the savepoint that holds the job's log, as in a project that was
/// moved or copied with its savepoints; else the one that it was taken in, where that is still there.
fn project_folder(url: &str, job: &JobFile, taken_in: Option<PathBuf>) -> Option<PathBuf> {
    let taken_in = taken_in.filter(|folder| folder.is_dir());
    let (Ok(StorageUrl::File(savepoint)), Ok(StorageUrl::File(storage))) =
        (StorageUrl::parse(url), StorageUrl::parse(&job.checkpoints.storage.value))
    else {
        return taken_in;
    };
    let (savepoint, storage) = (Path::new(&savepoint), Path::new(&storage));
    if storage.is_absolute() || taken_in.as_ref().is_some_and(|folder| savepoint.starts_with(folder)) {
        return taken_in;
    }
    let holds_log = |folder: &&Path| folder.join(storage).join(&job.name).join(paths::LOG).is_dir();
    savepoint.ancestors().skip(1).find(holds_log).map(Path::to_owned).or(taken_in)
}

/// The metadata of what a job starts from, and where its components lie; `None` where it is the beginning, or cannot be read, which the start itself says.
pub(crate) async fn metadata_of(
    origin: Result<Origin, EngineError>,
    store: &Arc<dyn Store>,
    savepoints: &SavepointOpener,
    clock: &dyn Clock,
) -> Option<(CheckpointMetadata, Arc<dyn Store>)> {
    match origin.ok()? {
        Origin::Beginning => None,
        Origin::Checkpoint(checkpoint) => Some((load_metadata(&**store, clock, &checkpoint).await.ok()?, store.clone())),
        Origin::Savepoint(url) => {
            let store = savepoints(&url).await.ok()?;
            let (_, metadata) = open_savepoint(&*store, clock).await.ok()?;
            Some((metadata, store))
        }
    }
}

/// The components that the operators of `job` ran where it starts from, and the references that led to them.
pub(crate) async fn pinned_plugins(
    job: &JobFile,
    (history, start, drops): (&History, &StartMode, &[String]),
    store: &dyn Store,
    savepoints: &SavepointOpener,
    clock: &dyn Clock,
) -> Result<(PluginOrigins, Vec<Pinned>), EngineError> {
    let other_way = |error: EngineError| match error.hint() {
        None => error.with_hint("without `--pinned` a run takes the component that the job file names"),
        Some(_) => error,
    };
    match history.origin(start)? {
        Origin::Beginning => {
            let message = "run the components that are kept with a checkpoint: the job starts from none";
            Err(EngineError::new(ErrorKind::FixInput, message)
                .with_hint("leave `--pinned` out: the first checkpoint keeps the job file's plugins"))
        }
        Origin::Checkpoint(checkpoint) => {
            let metadata = load_metadata(store, clock, &checkpoint).await?;
            Ok((stored_plugins(job, &metadata, drops, store, clock).await.map_err(other_way)?, history.pins_of(checkpoint.attempt)))
        }
        Origin::Savepoint(url) => {
            let store = savepoints(&url).await?;
            let (savepoint, metadata) = open_savepoint(&*store, clock).await?;
            Ok((stored_plugins(job, &metadata, drops, &*store, clock).await.map_err(other_way)?, savepoint.pinned))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder, within a temporary one, that the paths of a savepoint's job begin at. The folders in `logs` hold a log of the job.
    #[track_caller]
    fn check(savepoint: &str, taken_in: &str, logs: &[&str], storage: &str, expect: Option<&str>) {
        let root = tempfile::tempdir().expect("a folder");
        let make = |folder: &str| std::fs::create_dir_all(root.path().join(folder)).expect("a folder");
        logs.iter().for_each(|project| make(&format!("{project}/.weir/j/log")));
        make("there");
        let text = format!(
            "name = \"j\"\n[checkpoints]\nstorage = {storage:?}\n[source.in]\nconnector = \"generator\"\n[sink.out]\nconnector = \"blackhole\"\ninput = \"in\"\n"
        );
        let job = parse(SourceText { name: "job.toml".into(), text: text.into() }, Path::new("/"), 1).expect("a job");
        let url = format!("file:{}", root.path().join(savepoint).display());
        let found = project_folder(&url, &job, Some(root.path().join(taken_in)));
        assert_eq!(found, expect.map(|folder| root.path().join(folder)));
    }

    #[test]
    fn a_project_that_was_moved_or_copied_with_its_savepoint_is_found_around_it() {
        let own = ".weir/j/savepoints/7";
        check(&format!("copy/{own}"), "there", &["copy", "there"], "file:.weir", Some("copy"));
        check("copy/deep/sp", "gone", &["copy"], "file:.weir", Some("copy"));
        check(&format!("there/{own}"), "there", &["there"], "file:.weir", Some("there"));
    }

    #[test]
    fn a_savepoint_that_lies_elsewhere_belongs_to_the_folder_that_it_was_taken_in() {
        check("backups/sp", "there", &["there"], "file:.weir", Some("there"));
        check("there/sp", "there", &[], "file:.weir", Some("there"));
        check("copy/sp", "there", &["copy"], "file:/var/lib/weir", Some("there"));
        check("backups/sp", "gone", &[], "file:.weir", None);
    }
}
