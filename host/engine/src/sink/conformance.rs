//! What every [`Sink`] promises, as a suite that each implementation runs in its own tests. Everything panics with what differed.

use super::{Committable, Committer, Delivery, Sink, SinkAttempt, SinkWriter, WriterContext};
use crate::element::{AttemptId, BatchBuilder, CheckpointId};
use crate::error::EngineError;
use crate::operator::Subtask;
use crate::runtime::{ConnectorIo, Simulator};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// How long what a sink waits for may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How often it may be woken meanwhile.
const POLLS_MAX: usize = 100_000;

/// The result of a future that may wait for I/O of other threads.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    for _ in 0..POLLS_MAX {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park_timeout(ANSWER_MAX),
        }
    }
    panic!("the future does not come to an end in {POLLS_MAX} polls");
}

/// What a writer of subtask `index` of `parallelism` of the vertex `out` is given.
pub fn writer_context(index: u32, parallelism: u32, attempt: u64, nonce: &str) -> WriterContext {
    let subtask = Subtask { vertex: "out".into(), index, parallelism };
    let io = ConnectorIo::of(&Simulator::new(1).runtime());
    WriterContext { subtask, attempt: AttemptId(attempt), nonce: nonce.into(), io }
}

/// An attempt behind those with these nonces, from a checkpoint with these committables.
pub fn sink_attempt(attempt: u64, nonce: &str, older_nonces: &[&str], restored: &[Committable]) -> SinkAttempt {
    let older_nonces = older_nonces.iter().map(|&nonce| nonce.to_owned()).collect();
    let io = ConnectorIo::of(&Simulator::new(1).runtime());
    SinkAttempt { attempt: AttemptId(attempt), nonce: nonce.into(), older_nonces, restored: restored.to_vec(), io }
}

/// The lines of a text, without their ends.
pub fn lines_of(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|&b| b == b'\n').map(|line| line.strip_suffix(b"\n").expect("every line ends").to_vec()).collect()
}

/// Writes one batch of keyless records.
pub fn write_values(writer: &mut dyn SinkWriter, values: &[&str]) {
    let mut batch = BatchBuilder::new();
    values.iter().for_each(|value| batch.push(None, value.as_bytes(), None));
    writer.write(&batch.finish()).unwrap();
}

/// What a barrier leaves to commit, after its way through a checkpoint.
pub fn prepared(writer: &mut dyn SinkWriter, checkpoint_id: u64) -> Vec<Committable> {
    let committables = wait(writer.prepare_commit(CheckpointId(checkpoint_id)).unwrap()).unwrap();
    serde_json::from_str(&serde_json::to_string(&committables).unwrap()).unwrap()
}

/// Commits one.
pub fn commit(committer: &dyn Committer, committable: &Committable) -> Result<(), EngineError> {
    wait(committer.commit(committable))
}

/// A writer whose process does not know yet that another attempt has begun. What it does may fail; nobody commits what it has prepared.
fn go_on_as_a_zombie(mut writer: Box<dyn SinkWriter>) {
    let mut batch = BatchBuilder::new();
    batch.push(None, b"of a zombie", None);
    _ = writer.write(&batch.finish());
    if let Ok(prepared) = writer.prepare_commit(CheckpointId(5)) {
        _ = wait(prepared);
    }
}

/// Every sink: nothing that can be held back is visible before its commit; a commit may be repeated, also by another process;
/// what an attempt left behind is cleaned up or, where its checkpoint names it, committed; what an older attempt still writes is never seen; barriers
/// without records commit nothing.
/// `sink` makes the sink anew, as a new process would; `visible` reads its output where that can be read.
pub fn sink_suite(sink: impl Fn() -> Arc<dyn Sink>, committer: Option<&dyn Committer>, visible: Option<&dyn Fn() -> Vec<Vec<u8>>>) {
    let holds_back = sink().delivery() == Delivery::ExactlyOnce;
    let expect = |values: &[&str], why: &str| {
        let Some(visible) = visible else { return };
        let mut seen = visible();
        seen.sort();
        assert_eq!(seen, values.iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>(), "{why}");
    };
    let commit_all = |committables: &[Committable]| {
        committables.iter().for_each(|c| commit(committer.expect("a committer for committables"), c).unwrap());
    };
    let expect_newest = |newest: &[(&str, u64)], why: &str| {
        if committer.is_none() {
            return;
        }
        let asked = ["aa".to_owned(), "bb".to_owned(), "never there".to_owned()];
        let told = wait(sink().newest_visible(&asked)).unwrap();
        let told: Vec<_> = told.iter().map(|output| (output.nonce.as_str(), output.checkpoint_id.0)).collect();
        assert_eq!(told, newest, "{why}");
    };

    let first = sink();
    wait(first.prepare_attempt(&sink_attempt(1, "aa", &[], &[]))).unwrap();
    let (mut left, mut right) =
        (first.writer(&writer_context(0, 2, 1, "aa")).unwrap(), first.writer(&writer_context(1, 2, 1, "aa")).unwrap());
    assert!(prepared(&mut *left, 1).is_empty(), "a barrier without records commits nothing");
    write_values(&mut *left, &["a", "b"]);
    write_values(&mut *right, &["c"]);
    if holds_back {
        expect(&[], "nothing is visible before its checkpoint");
    }
    let mut committables = prepared(&mut *left, 2);
    committables.extend(prepared(&mut *right, 2));
    if holds_back {
        expect(&[], "nothing is visible before its commit");
        expect_newest(&[], "nor is there anything to tell of it");
    }
    write_values(&mut *left, &["d"]);
    commit_all(&committables);
    commit_all(&committables);
    expect(if holds_back { &["a", "b", "c"] } else { &["a", "b", "c", "d"] }, "a commit that is repeated changes nothing");

    let named = prepared(&mut *left, 3);
    if !holds_back {
        return;
    }
    write_values(&mut *left, &["lost with its attempt"]);
    prepared(&mut *left, 4);
    write_values(&mut *right, &["lost in the middle of a part"]);
    drop((first, left));

    let second = sink();
    wait(second.prepare_attempt(&sink_attempt(2, "bb", &["aa"], &named))).unwrap();
    go_on_as_a_zombie(right);
    commit_all(&committables);
    commit_all(&named);
    expect(&["a", "b", "c", "d"], "what the checkpoint names is committed after a crash");
    let mut writer = second.writer(&writer_context(0, 1, 2, "bb")).unwrap();
    write_values(&mut *writer, &["e"]);
    let fifth = prepared(&mut *writer, 5);
    commit_all(&fifth);
    wait(sink().prepare_attempt(&sink_attempt(3, "cc", &["aa", "bb"], &fifth))).unwrap();
    commit_all(&fifth);
    expect(&["a", "b", "c", "d", "e"], "a later attempt's output joins what was committed");
    expect_newest(&[("aa", 3), ("bb", 5)], "of each attempt the newest checkpoint with output is told, for the log may have lost it");
}

#[cfg(test)]
#[path = "conformance_tests.rs"]
mod tests;
