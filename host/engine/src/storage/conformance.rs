//! What every [`Store`] promises, as a suite that each implementation runs from one test. Everything panics with what differed.

use super::{Created, Store};
use crate::error::EngineError;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;

/// Objects of the long listing: more than a page of S3 has.
const MANY: usize = 1_100;
/// Writes of them under way at once.
const AT_ONCE: usize = 16;
/// Creates that race for one object.
const RACING: usize = 8;
/// Bytes of a large object: more than a request carries to S3.
const LARGE: usize = 20 << 20;

/// Runs the whole suite against `store`, which is empty.
pub async fn check_store(store: &dyn Store) {
    what_is_not_there_is_no_error(store).await;
    the_first_create_writes_and_the_others_do_not(store).await;
    of_racing_creates_one_writes(store).await;
    a_put_is_read_back_in_one_piece_and_overwrites(store).await;
    objects_of_every_size_are_read_back(store).await;
    listings_know_folders_from_names_that_begin_alike(store).await;
    long_listings_are_whole_and_what_is_deleted_is_gone(store).await;
    assert_eq!(listed(store, "").await, BTreeSet::new(), "the suite has deleted all that it wrote");
    assert!(!store.location().is_empty(), "messages name the place");
}

#[track_caller]
fn ok<T>(what: &str, result: Result<T, EngineError>) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}

async fn content(store: &dyn Store, path: &str) -> Option<Bytes> {
    ok("get", store.get(path).await)
}

async fn listed(store: &dyn Store, folder: &str) -> BTreeSet<String> {
    let paths = ok("list", store.list(folder).await);
    let distinct: BTreeSet<String> = paths.iter().cloned().collect();
    assert_eq!(paths.len(), distinct.len(), "a listing of `{folder}` names everything once");
    distinct
}

async fn create(store: &dyn Store, path: &str, content: &'static [u8]) -> Created {
    ok("create", store.create(path, Bytes::from_static(content)).await)
}

async fn put(store: &dyn Store, path: &str, content: &[u8]) {
    ok("put", store.put(path, vec![Bytes::copy_from_slice(content)]).await);
}

async fn delete(store: &dyn Store, path: &str) {
    ok("delete", store.delete(path).await);
}

async fn what_is_not_there_is_no_error(store: &dyn Store) {
    assert_eq!(content(store, "log/1.json").await, None);
    assert_eq!(listed(store, "log").await, BTreeSet::new());
    delete(store, "log/1.json").await;
}

async fn the_first_create_writes_and_the_others_do_not(store: &dyn Store) {
    assert_eq!(create(store, "log/1.json", b"first").await, Created::New);
    assert_eq!(create(store, "log/1.json", b"second").await, Created::Exists);
    assert_eq!(create(store, "log/1.json", b"first").await, Created::Exists);
    assert_eq!(content(store, "log/1.json").await.as_deref(), Some(&b"first"[..]));
    delete(store, "log/1.json").await;
    assert_eq!(create(store, "log/1.json", b"third").await, Created::New, "what was deleted can be created again");
    delete(store, "log/1.json").await;
}

async fn of_racing_creates_one_writes(store: &dyn Store) {
    let contents: Vec<Bytes> = (0..RACING).map(|number| Bytes::from(format!("writer {number}"))).collect();
    let results = join_all(contents.iter().map(|content| store.create("log/2.json", content.clone()))).await;
    let created: Vec<Created> = results.into_iter().map(|result| ok("create", result)).collect();
    let winners: Vec<usize> = (0..RACING).filter(|&number| created[number] == Created::New).collect();
    assert_eq!(winners.len(), 1, "{created:?}");
    assert_eq!(content(store, "log/2.json").await.as_ref(), Some(&contents[winners[0]]));
    delete(store, "log/2.json").await;
}

async fn a_put_is_read_back_in_one_piece_and_overwrites(store: &dyn Store) {
    let parts = [&b"one"[..], b"", b" and two"].map(Bytes::from_static).to_vec();
    ok("put", store.put("state/3-7-my.op-0-ab.state", parts).await);
    assert_eq!(content(store, "state/3-7-my.op-0-ab.state").await.as_deref(), Some(&b"one and two"[..]));
    put(store, "state/3-7-my.op-0-ab.state", b"three").await;
    assert_eq!(content(store, "state/3-7-my.op-0-ab.state").await.as_deref(), Some(&b"three"[..]));
    delete(store, "state/3-7-my.op-0-ab.state").await;
    assert_eq!(content(store, "state/3-7-my.op-0-ab.state").await, None);
}

async fn objects_of_every_size_are_read_back(store: &dyn Store) {
    for size in [0, 1, 1 << 20, LARGE] {
        let block: Bytes = (0..size).map(|place| (place / 7 % 251) as u8).collect();
        // Pieces as a state object has them, none of which ends where a request would.
        let pieces: Vec<Bytes> = (0..size).step_by(1_234_567).map(|at| block.slice(at..size.min(at + 1_234_567))).collect();
        ok("put", store.put("state/large", pieces).await);
        assert!(content(store, "state/large").await == Some(block), "{size} bytes are read back as they were written");
    }
    delete(store, "state/large").await;
}

async fn listings_know_folders_from_names_that_begin_alike(store: &dyn Store) {
    let paths = ["state/1-1-a-0-n.state", "state/1-1-a-1-n.state", "state-of-old/1", "checkpoints/1-1/metadata.json"];
    for path in paths {
        put(store, path, b"x").await;
    }
    let expected = |paths: &[&str]| paths.iter().map(|path| path.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(listed(store, "state").await, expected(&paths[..2]));
    assert_eq!(listed(store, "checkpoints").await, expected(&paths[3..]));
    assert_eq!(listed(store, "").await, expected(&paths));
    for path in paths {
        delete(store, path).await;
    }
}

async fn long_listings_are_whole_and_what_is_deleted_is_gone(store: &dyn Store) {
    let paths: Vec<String> = (0..MANY).map(|number| format!("log/{number}.json")).collect();
    let writes = paths.iter().map(|path| store.put(path, vec![Bytes::from_static(b"x")]));
    ok("put", stream::iter(writes).buffer_unordered(AT_ONCE).try_collect::<()>().await);
    assert_eq!(listed(store, "log").await, paths.iter().cloned().collect());
    let (gone, kept) = paths.split_at(MANY - 1);
    let deletes = |paths: &'_ [String]| stream::iter(paths.to_vec()).map(|path| async move { store.delete(&path).await });
    ok("delete", deletes(gone).buffer_unordered(AT_ONCE).try_collect::<()>().await);
    assert_eq!(listed(store, "log").await, kept.iter().cloned().collect());
    ok("delete", deletes(kept).buffer_unordered(AT_ONCE).try_collect::<()>().await);
}
