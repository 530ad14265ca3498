//! Opens what jobs and savepoints are stored in, for commands that only look.

use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::process::cores;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use weir_engine::job::SavepointOpener;
use weir_engine::runtime::{Runtime, ThreadRuntime};
use weir_engine::storage::{ObjectStorage, StorageUrl, Store};
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::printable;

/// The production runtime.
pub fn threads() -> Result<ThreadRuntime, EngineError> {
    ThreadRuntime::new(cores() as usize).map_err(|error| EngineError::new(ErrorKind::Bug, format!("start threads: {error}")))
}

/// Runs `look` over a job's objects.
pub fn with_storage<T, F: Future<Output = Result<T, EngineError>>>(
    job: &JobFile,
    look: impl FnOnce(Arc<dyn Store>, Runtime) -> F,
) -> Result<T, Failure> {
    looking(&job.checkpoints.storage.value, &job.folder, &job.name, look)
}

/// Runs `look` over the objects of a savepoint.
pub fn with_savepoint<T, F: Future<Output = Result<T, EngineError>>>(
    url: &str,
    look: impl FnOnce(Arc<dyn Store>, Runtime) -> F,
) -> Result<T, Failure> {
    let url = savepoint_url(url)?;
    looking(&url, Path::new("/"), "", look)
}

/// What opens a job's storage, once and only where it is needed.
pub type OpenStorage = BoxFuture<'static, Result<Arc<dyn Store>, EngineError>>;

/// As [`with_savepoint`], with the storage of `job` beside it.
pub fn with_savepoint_of<T, F: Future<Output = Result<T, EngineError>>>(
    url: &str,
    job: &JobFile,
    look: impl FnOnce(Arc<dyn Store>, OpenStorage, Runtime) -> F,
) -> Result<T, Failure> {
    let (storage, folder, name) = (job.checkpoints.storage.value.clone(), job.folder.clone(), job.name.clone());
    with_savepoint(url, |savepoint, runtime| {
        let control = Handle::current();
        let open = async move {
            let store: Arc<dyn Store> = Arc::new(ObjectStorage::look(&storage, &folder, &name, &control).await?);
            Ok(store)
        };
        look(savepoint, open.boxed(), runtime)
    })
}

/// Storage that is there to be looked into, by the absolute URLs of savepoints and of the folders of jobs' objects.
pub struct Stores {
    opener: SavepointOpener,
    /// What reads it.
    pub runtime: Runtime,
}

impl Stores {
    /// Opens what lies at `url`. What is not there is not made by looking for it, and is empty.
    pub async fn look(&self, url: &str) -> Result<Arc<dyn Store>, EngineError> {
        (self.opener)(url).await
    }
}

/// Runs `look`, which may open several.
pub fn with_stores<T>(look: impl AsyncFnOnce(&Stores) -> Result<T, Failure>) -> Result<T, Failure> {
    let threads = threads()?;
    let stores = Stores { opener: savepoint_opener(&threads), runtime: threads.runtime() };
    let looked = threads.block_on(look(&stores));
    threads.shutdown();
    looked
}

fn looking<T, F: Future<Output = Result<T, EngineError>>>(
    url: &str,
    base: &Path,
    job: &str,
    look: impl FnOnce(Arc<dyn Store>, Runtime) -> F,
) -> Result<T, Failure> {
    let threads = threads()?;
    let runtime = threads.runtime();
    let looked = threads.block_on(async {
        let store: Arc<dyn Store> = Arc::new(ObjectStorage::look(url, base, job, threads.control()).await?);
        look(store, runtime).await
    });
    threads.shutdown();
    Ok(looked?)
}

/// Opens savepoints by their absolute URLs, to read them: one that is not there is not made by looking for it.
pub fn savepoint_opener(threads: &ThreadRuntime) -> SavepointOpener {
    let control = threads.control().clone();
    Arc::new(move |url: &str| {
        let (url, control) = (url.to_owned(), control.clone());
        async move {
            let store: Arc<dyn Store> = Arc::new(ObjectStorage::look(&url, Path::new("/"), "", &control).await?);
            Ok(store)
        }
        .boxed()
    })
}

/// Opens the folder of a savepoint that is to be written.
pub async fn savepoint_folder(url: &str, control: &Handle) -> Result<ObjectStorage, EngineError> {
    ObjectStorage::open(url, Path::new("/"), "", control).await
}

/// Bytes that are shown of a name that cannot be.
const NAME_SHOWN: usize = 256;

/// The absolute URL of a savepoint's folder that was named on the command line: a plain path is a folder too.
pub fn savepoint_url(named: &str) -> Result<String, Failure> {
    if named.contains(char::is_control) {
        // It is kept, and shown to others.
        let message = format!("`{}`: it has control characters", printable(named, NAME_SHOWN));
        return Err(Failure::Usage { message, hint: "name a folder or `s3://bucket/prefix`".into() });
    }
    let path = |folder: &str| {
        let folder = without_detours(Path::new(folder))
            .map_err(|error| Failure::Usage { message: format!("`{named}`: {error}"), hint: "name a folder".into() })?;
        Ok(format!("file:{}", folder.display()).trim_end_matches('/').to_owned())
    };
    match StorageUrl::parse(named) {
        Ok(StorageUrl::File(folder)) => path(&folder),
        Ok(StorageUrl::S3 { .. }) => Ok(named.trim_end_matches('/').to_owned()),
        Ok(StorageUrl::Memory) => Err(Failure::Usage {
            message: format!("`{named}`: memory is gone with its process"),
            hint: "name a folder or `s3://bucket/prefix`".into(),
        }),
        Err(_) if !named.contains(':') && !named.is_empty() => path(named),
        Err(bad) => Err(Failure::Usage { message: format!("`{named}`: {}", bad.message), hint: bad.hint }),
    }
}

/// The absolute path: one for a folder, however it was reached, because a savepoint is told by it.
fn without_detours(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let has_detour = absolute.components().any(|part| part == Component::ParentDir);
    // What is not there yet cannot be followed, and stays as it was written.
    Ok(if has_detour { absolute.canonicalize().unwrap_or(absolute) } else { absolute })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn savepoints_are_named_by_url_or_path_and_kept_by_absolute_url() {
        let url = |named: &str| savepoint_url(named).map_err(|failure| failure.text());
        assert_eq!(url("file:/a/b/"), Ok("file:/a/b".into()));
        assert_eq!(url("file:///a/b"), Ok("file:/a/b".into()));
        assert_eq!(url("s3://bucket/a/"), Ok("s3://bucket/a".into()));
        let here = std::env::current_dir().expect("a folder");
        assert_eq!(url("save/1"), Ok(format!("file:{}/save/1", here.display())));
        assert_eq!(url("file:save/1"), Ok(format!("file:{}/save/1", here.display())));
        assert_eq!(url("../a/no/such"), Ok(format!("file:{}/../a/no/such", here.display())));
        let folder = here.file_name().expect("a name").to_string_lossy();
        assert_eq!(url(&format!("../{folder}")), Ok(format!("file:{}", here.canonicalize().expect("it is there").display())));
        assert_eq!(url("/a/b\u{1b}[31m\n"), Err("`/a/b\\u{1b}[31m\\n`: it has control characters".into()));
        assert!(url("memory:").is_err() && url("gs://x/y").is_err() && url("").is_err());
    }
}
