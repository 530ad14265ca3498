//! The storage port, and its implementation over `object_store`.

use super::{StorageUrl, Variables, large_objects, s3};
use crate::error::{EngineError, ErrorKind};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

/// What create-if-absent found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object is there now and was not before.
    New,
    /// It was there already; nothing was written.
    Exists,
}

/// Objects of one job, by path. Every error of kind [`ErrorKind::Retry`] may have done what it was asked for: its outcome is unknown.
pub trait Store: Send + Sync {
    /// Writes an object unless one is there.
    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>>;
    /// Writes an object whose name nobody else uses.
    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>>;
    /// Reads an object; `None` where there is none.
    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>>;
    /// All paths below a folder, in no order.
    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>>;
    /// Deletes an object; one that is not there is no error.
    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>>;
    /// Where the objects are, for messages.
    fn location(&self) -> String;
}

/// A [`Store`] over any `object_store`, below a prefix.
pub struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    location: String,
    place: Place,
    /// The folder that the objects are files of, where they are.
    folder: Option<Arc<LocalFileSystem>>,
}

/// What kind of place the objects are in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A folder or memory: nothing is too large for one call.
    Local,
    /// A bucket behind a network.
    S3,
}

impl ObjectStorage {
    /// Opens `url` for `job` (empty: the folder of `url` itself); [`StorageUrl`] says what there is. A folder is relative to `base`, and made where it is missing. Requests to a
    /// bucket run on `control`, the control threads, and what a bucket needs comes from the process's environment.
    pub async fn open(url: &str, base: &Path, job: &str, control: &Handle) -> Result<Self, EngineError> {
        Self::open_with(url, base, job, control, &s3::variables_of_process()).await
    }

    /// [`Self::open`] for those who only look: a folder that is missing is not made, and nothing is in it.
    pub async fn look(url: &str, base: &Path, job: &str, control: &Handle) -> Result<Self, EngineError> {
        match StorageUrl::parse(url) {
            Ok(StorageUrl::File(folder)) if !base.join(&folder).exists() => {
                Ok(Self { prefix: job.to_owned(), location: join(url.trim_end_matches('/'), job), ..Self::in_memory() })
            }
            Ok(StorageUrl::File(_) | StorageUrl::Memory | StorageUrl::S3 { .. }) | Err(_) => Self::open(url, base, job, control).await,
        }
    }

    /// [`Self::open`] with these variables as the environment.
    pub async fn open_with(url: &str, base: &Path, job: &str, control: &Handle, variables: &Variables) -> Result<Self, EngineError> {
        let opening = |error: EngineError| error.context(format!("open checkpoint storage `{url}`"));
        let fail = |message: String| opening(EngineError::new(ErrorKind::FixInput, message));
        let mut folder = None;
        let (store, place, prefix): (Arc<dyn ObjectStore>, _, _) = match StorageUrl::parse(url) {
            Ok(StorageUrl::File(path)) => {
                let path = base.join(path);
                std::fs::create_dir_all(&path).map_err(|error| fail(error.to_string()))?;
                let local = LocalFileSystem::new_with_prefix(&path).map_err(|error| fail(error.to_string()))?;
                // Folders of deleted checkpoints go with them, else every listing would walk through all that ever were.
                let local = Arc::new(local.with_fsync(true).with_automatic_cleanup(true));
                (folder.insert(local).clone(), Place::Local, String::new())
            }
            Ok(StorageUrl::Memory) => (Arc::new(InMemory::new()), Place::Local, String::new()),
            Ok(StorageUrl::S3 { bucket, prefix }) => {
                (s3::open(&bucket, variables, control.clone()).await.map_err(opening)?, Place::S3, prefix)
            }
            Err(bad) => return Err(fail(bad.message).with_hint(bad.hint)),
        };
        Ok(Self { store, prefix: join(&prefix, job), location: join(url.trim_end_matches('/'), job), place, folder })
    }

    /// Objects in memory, for tests and throw-away jobs.
    pub fn in_memory() -> Self {
        Self { store: Arc::new(InMemory::new()), prefix: "job".into(), location: "memory:/job".into(), place: Place::Local, folder: None }
    }

    fn path(&self, path: &str) -> ObjectPath {
        // Empty parts count for nothing.
        ObjectPath::from(format!("{}/{path}", self.prefix))
    }

    fn error(&self, attempted: &str, path: &str, error: &object_store::Error) -> EngineError {
        let message = format!("{attempted} {}/{path}: {}", self.location, with_causes(error));
        let unreachable = match self.place {
            Place::S3 => s3::is_unreachable(error).then_some(s3::UNREACHABLE),
            Place::Local => None,
        };
        match (self.remedy(error), error) {
            (Some(hint), _) => EngineError::new(ErrorKind::FixInput, message).with_hint(hint),
            (None, object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }) => {
                EngineError::new(ErrorKind::FixInput, message)
            }
            // It may be there again in a moment.
            (None, _) => unreachable.iter().fold(EngineError::new(ErrorKind::Retry, message), |error, &hint| error.with_hint(hint)),
        }
    }

    fn remedy(&self, error: &object_store::Error) -> Option<&'static str> {
        match self.place {
            Place::Local => None,
            Place::S3 => s3::remedy(error),
        }
    }

    /// What a create found that was told that the object exists. S3 says so too while another create of it is under way, which may come to
    /// nothing: then nobody knows yet.
    async fn exists(&self, path: &str) -> Result<Created, EngineError> {
        match self.place {
            Place::Local => Ok(Created::Exists),
            Place::S3 => match self.store.head(&self.path(path)).await {
                Ok(_) => Ok(Created::Exists),
                Err(error) => Err(self.error("create, which is there, or is being created,", path, &error)),
            },
        }
    }

    /// Refuses what is no file in an object's place: to open a pipe is to wait for whoever writes into it.
    fn check_is_file(&self, path: &str) -> Result<(), EngineError> {
        let Some(file) = self.folder.as_ref().and_then(|folder| folder.path_to_filesystem(&self.path(path)).ok()) else { return Ok(()) };
        match std::fs::metadata(&file) {
            Ok(metadata) if !metadata.is_file() => {
                let message = format!("read {}/{path}: it is no regular file", self.location);
                Err(EngineError::new(ErrorKind::Corrupt, message).with_hint("take it away, and put the file back that was there"))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn read(&self, path: &ObjectPath) -> object_store::Result<Bytes> {
        let found = self.store.get(path).await?;
        match (self.place, found.meta.size) {
            (Place::S3, length) if length > s3::PART_BYTES as u64 => large_objects::get(&*self.store, path, length, s3::PART_BYTES).await,
            (Place::S3 | Place::Local, _) => found.bytes().await,
        }
    }

    async fn write(&self, path: &ObjectPath, parts: Vec<Bytes>) -> object_store::Result<()> {
        let length: usize = parts.iter().map(Bytes::len).sum();
        match self.place {
            Place::S3 if length > s3::PART_BYTES => large_objects::put(&*self.store, path, parts, s3::PART_BYTES).await,
            Place::S3 | Place::Local => self.store.put(path, parts.into_iter().collect::<PutPayload>()).await.map(drop),
        }
    }
}

/// An error with the causes below it that it does not say itself: of a request that could not be sent the last one alone says why.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// Two parts of a path, of which either may be empty.
fn join(prefix: &str, job: &str) -> String {
    match (prefix, job) {
        (prefix, "") => prefix.to_owned(),
        ("", job) => job.to_owned(),
        (prefix, job) => format!("{prefix}/{job}"),
    }
}

impl Store for ObjectStorage {
    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        async move {
            match self.store.put_opts(&self.path(path), bytes.into(), create).await {
                Ok(_) => Ok(Created::New),
                Err(object_store::Error::AlreadyExists { .. }) => self.exists(path).await,
                Err(error) => Err(self.error("create", path, &error)),
            }
        }
        .boxed()
    }

    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        async move { self.write(&self.path(path), parts).await.map_err(|error| self.error("write", path, &error)) }.boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        async move {
            self.check_is_file(path)?;
            match self.read(&self.path(path)).await {
                Ok(bytes) => Ok(Some(bytes)),
                // Where the bucket is missing, so is everything in it.
                Err(error @ object_store::Error::NotFound { .. }) if self.remedy(&error).is_none() => Ok(None),
                Err(error) => Err(self.error("read", path, &error)),
            }
        }
        .boxed()
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        async move {
            let prefix = self.path(folder);
            let found: Vec<_> = self.store.list(Some(&prefix)).try_collect().await.map_err(|error| self.error("list", folder, &error))?;
            let own = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
            Ok(found.into_iter().filter_map(|meta| meta.location.as_ref().strip_prefix(&own).map(str::to_owned)).collect())
        }
        .boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            match self.store.delete(&self.path(path)).await {
                Ok(()) => Ok(()),
                Err(error @ object_store::Error::NotFound { .. }) if self.remedy(&error).is_none() => Ok(()),
                Err(error) => Err(self.error("delete", path, &error)),
            }
        }
        .boxed()
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_an_objects_place_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let threads = tokio::runtime::Runtime::new().expect("threads");
        let url = format!("file:{}", folder.path().display());
        let store = threads.block_on(ObjectStorage::open(&url, Path::new("/"), "j", threads.handle())).expect("a folder");
        std::fs::create_dir_all(folder.path().join("j/log")).expect("a folder");
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("j/log/1.json")).status().expect("mkfifo is there");
        assert!(made.success());
        let refused = threads.block_on(store.get("log/1.json")).expect_err("it is no file");
        assert_eq!((refused.kind(), refused.to_string()), (ErrorKind::Corrupt, format!("read {url}/j/log/1.json: it is no regular file")));
        assert_eq!(threads.block_on(store.get("log/2.json")).expect("nothing is there"), None);
    }

    #[test]
    fn what_s3_calls_existing_is_unknown_until_it_is_seen() {
        let now = |store: &ObjectStorage| store.exists("log/1.json").now_or_never().expect("memory does not wait");
        let store = ObjectStorage { place: Place::S3, ..ObjectStorage::in_memory() };
        let unknown = now(&store).expect_err("a create that came to nothing");
        assert_eq!(unknown.kind(), ErrorKind::Retry, "{unknown}");
        store.put("log/1.json", vec![Bytes::from_static(b"x")]).now_or_never().expect("memory does not wait").expect("it is written");
        assert_eq!(now(&store).ok(), Some(Created::Exists));
    }
}
