//! A store around a store: what a decorator says nothing of passes through as it is.

use super::store::{Created, Store};
use crate::error::EngineError;
use bytes::Bytes;
use futures_util::future::BoxFuture;

/// A store that is made of another: implemented in place of [`Store`], call by call that it changes.
pub trait StoreDecorator: Send + Sync {
    /// The other store, as it is at this moment.
    fn inner(&self) -> &dyn Store;

    /// In place of [`Store::create`].
    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        self.inner().create(path, bytes)
    }

    /// In place of [`Store::put`].
    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        self.inner().put(path, parts)
    }

    /// In place of [`Store::get`].
    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        self.inner().get(path)
    }

    /// In place of [`Store::list`].
    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        self.inner().list(folder)
    }

    /// In place of [`Store::delete`].
    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        self.inner().delete(path)
    }
}

impl<D: StoreDecorator> Store for D {
    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        StoreDecorator::create(self, path, bytes)
    }

    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        StoreDecorator::put(self, path, parts)
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        StoreDecorator::get(self, path)
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        StoreDecorator::list(self, folder)
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        StoreDecorator::delete(self, path)
    }

    fn location(&self) -> String {
        self.inner().location()
    }
}
