//! The points around a store's calls.

use super::CrashPoint;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use weir_engine::EngineError;
use weir_engine::checkpoint::paths;
use weir_engine::storage::{Created, Store, StoreDecorator};

/// A store that ends the process around one of its calls.
pub(super) struct CrashingStore {
    inner: Arc<dyn Store>,
    point: Arc<CrashPoint>,
}

impl CrashingStore {
    pub(super) fn new(inner: Arc<dyn Store>, point: Arc<CrashPoint>) -> Self {
        Self { inner, point }
    }
}

/// The folder that `path` is in.
fn folder(path: &str) -> &str {
    path.split_once('/').map_or(path, |(folder, _)| folder)
}

/// What an object is that is created with these bytes: entries of the log differ by kind.
fn created(path: &str, bytes: &[u8]) -> String {
    let entry = || serde_json::from_slice::<Value>(bytes).ok();
    match folder(path) {
        paths::LOG => format!("log-{}", entry().as_ref().and_then(|entry| entry["body"]["entry"]["kind"].as_str()).unwrap_or("unknown")),
        folder => folder.to_owned(),
    }
}

impl StoreDecorator for CrashingStore {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        async move {
            let step = format!("create {}", created(path, &bytes));
            self.point.around(&step, self.inner.create(path, bytes)).await
        }
        .boxed()
    }

    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        async move { self.point.around(&format!("put {}", folder(path)), self.inner.put(path, parts)).await }.boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        async move { self.point.around(&format!("get {}", folder(path)), self.inner.get(path)).await }.boxed()
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        async move { self.point.around(&format!("list {}", folder(path)), self.inner.list(path)).await }.boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        async move { self.point.around(&format!("delete {}", folder(path)), self.inner.delete(path)).await }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_created_is_told_by_folder_and_kind() {
        let entry = br#"{"magic":"weir-log","body":{"seq":1,"entry":{"kind":"completed"}}}"#;
        assert_eq!(created("log/1.json", entry), "log-completed");
        assert_eq!(created("log/1.json", b"nonsense"), "log-unknown");
        assert_eq!(created("plugins/ab.wasm", b"\0asm"), "plugins");
    }
}
