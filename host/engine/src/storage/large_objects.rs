//! Objects that are too large for one request: written and read in parts, several at a time. Each part has a request, and so a time limit,
//! of its own.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, Result};
use std::collections::VecDeque;

/// Parts under way at once.
const AT_ONCE: usize = 4;
/// What S3 allows of one object.
const PARTS_MAX: usize = 10_000;

/// Writes an object in parts of `part_bytes`, or of more where it would need too many of them. It is there once its last part is, and not
/// before. After an error nothing of it is left, unless the store cannot be reached to say so.
pub(super) async fn put(store: &dyn ObjectStore, path: &ObjectPath, pieces: Vec<Bytes>, part_bytes: usize) -> Result<()> {
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let parts = cut(pieces, part_bytes.max(length.div_ceil(PARTS_MAX)));
    let mut upload = store.put_multipart(path).await?;
    let sent: Vec<_> = parts.into_iter().map(|part| upload.put_part(part)).collect();
    let sent = stream::iter(sent).buffer_unordered(AT_ONCE).try_collect::<()>().await;
    let done = match sent {
        Ok(()) => upload.complete().await.map(drop),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // Where completing has worked without our hearing of it, there is nothing left to give up.
        _ = upload.abort().await;
    }
    done
}

/// Reads an object of `length` bytes in parts of `part_bytes`.
pub(super) async fn get(store: &dyn ObjectStore, path: &ObjectPath, length: u64, part_bytes: usize) -> Result<Bytes> {
    let starts = (0..length).step_by(part_bytes);
    let reads = starts.map(|start| store.get_range(path, start..length.min(start + part_bytes as u64)));
    let whole = BytesMut::with_capacity(length as usize);
    let append = |mut whole: BytesMut, part: Bytes| async move {
        whole.extend_from_slice(&part);
        Ok(whole)
    };
    stream::iter(reads).buffered(AT_ONCE).try_fold(whole, append).await.map(BytesMut::freeze)
}

/// The bytes of `pieces`, cut anew into parts of exactly `part_bytes` and a rest. Nothing is copied.
fn cut(pieces: Vec<Bytes>, part_bytes: usize) -> Vec<PutPayload> {
    let mut pieces = VecDeque::from(pieces);
    let mut parts = Vec::new();
    let (mut part, mut room) = (Vec::new(), part_bytes);
    while let Some(mut piece) = pieces.pop_front() {
        let taken = piece.split_to(room.min(piece.len()));
        room -= taken.len();
        part.push(taken);
        if !piece.is_empty() {
            pieces.push_front(piece);
        }
        if room == 0 {
            parts.push(std::mem::take(&mut part).into_iter().collect());
            room = part_bytes;
        }
    }
    if !part.is_empty() {
        parts.push(part.into_iter().collect());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use object_store::memory::InMemory;

    #[track_caller]
    fn check(pieces: &[&str], part_bytes: usize, expect: &[&str]) {
        let pieces: Vec<Bytes> = pieces.iter().map(|piece| Bytes::copy_from_slice(piece.as_bytes())).collect();
        let parts: Vec<Bytes> = cut(pieces.clone(), part_bytes).into_iter().map(Bytes::from).collect();
        assert_eq!(parts, expect);

        let (store, path) = (InMemory::new(), ObjectPath::from("object"));
        let whole = pieces.concat();
        put(&store, &path, pieces, part_bytes).now_or_never().expect("memory does not wait").expect("it is written");
        let read = get(&store, &path, whole.len() as u64, part_bytes).now_or_never().expect("memory does not wait");
        assert_eq!(read.expect("it is read"), whole);
    }

    #[test]
    fn parts_are_equal_but_for_the_last_wherever_the_pieces_end() {
        check(&["abcdefg"], 3, &["abc", "def", "g"]);
        check(&["a", "bc", "", "defg", "h"], 3, &["abc", "def", "gh"]);
        check(&["abc", "def"], 3, &["abc", "def"]);
        check(&["ab"], 3, &["ab"]);
    }
}
