//! The storage port, and its implementation over `object_store`.

use crate::error::{EngineError, ErrorKind};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use std::path::Path;
use std::sync::Arc;

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
}

impl ObjectStorage {
    /// Opens `url` for `job`: `file:FOLDER` (relative to `base`) or `memory:`. The folder is made where it is missing.
    pub fn open(url: &str, base: &Path, job: &str) -> Result<Self, EngineError> {
        let fail = |message: String| EngineError::new(ErrorKind::FixInput, format!("open checkpoint storage `{url}`: {message}"));
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(fail("no scheme".into()).with_hint("write file:FOLDER, for example file:.weir"));
        };
        let store: Arc<dyn ObjectStore> = match scheme {
            "file" => {
                let folder = base.join(rest.strip_prefix("//").unwrap_or(rest));
                std::fs::create_dir_all(&folder).map_err(|error| fail(error.to_string()))?;
                let local = LocalFileSystem::new_with_prefix(&folder).map_err(|error| fail(error.to_string()))?;
                // Folders of deleted checkpoints go with them, else every listing would walk through all that ever were.
                Arc::new(local.with_fsync(true).with_automatic_cleanup(true))
            }
            "memory" => Arc::new(InMemory::new()),
            "s3" | "gs" | "az" => return Err(fail(format!("`{scheme}:` is not built yet")).with_hint("use file:")),
            _ => return Err(fail(format!("unknown scheme `{scheme}`")).with_hint("known: file, memory")),
        };
        Ok(Self { store, prefix: job.to_owned(), location: format!("{url}/{job}") })
    }

    /// Objects in memory, for tests and throw-away jobs.
    pub fn in_memory() -> Self {
        Self { store: Arc::new(InMemory::new()), prefix: "job".into(), location: "memory:/job".into() }
    }

    fn path(&self, path: &str) -> ObjectPath {
        ObjectPath::from(format!("{}/{path}", self.prefix))
    }

    fn error(&self, attempted: &str, path: &str, error: &object_store::Error) -> EngineError {
        let kind = match error {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => ErrorKind::FixInput,
            _ => ErrorKind::Retry,
        };
        EngineError::new(kind, format!("{attempted} {}/{path}: {error}", self.location))
    }
}

impl Store for ObjectStorage {
    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        async move {
            match self.store.put_opts(&self.path(path), bytes.into(), create).await {
                Ok(_) => Ok(Created::New),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Exists),
                Err(error) => Err(self.error("create", path, &error)),
            }
        }
        .boxed()
    }

    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        let payload: PutPayload = parts.into_iter().collect();
        async move { self.store.put(&self.path(path), payload).await.map(drop).map_err(|error| self.error("write", path, &error)) }.boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        async move {
            let fail = |error| self.error("read", path, &error);
            match self.store.get(&self.path(path)).await {
                Ok(found) => found.bytes().await.map(Some).map_err(fail),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(fail(error)),
            }
        }
        .boxed()
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        async move {
            let prefix = self.path(folder);
            let found: Vec<_> = self.store.list(Some(&prefix)).try_collect().await.map_err(|error| self.error("list", folder, &error))?;
            let own = format!("{}/", self.prefix);
            Ok(found.into_iter().filter_map(|meta| meta.location.as_ref().strip_prefix(&own).map(str::to_owned)).collect())
        }
        .boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            match self.store.delete(&self.path(path)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(self.error("delete", path, &error)),
            }
        }
        .boxed()
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}
