//! Background work of one kind, one after the other.

use tokio::sync::oneshot;

/// Lets background work of one kind go one after the other, in the order in which places were taken, whichever thread comes first.
#[derive(Default)]
pub(super) struct Line {
    last: Option<oneshot::Receiver<()>>,
}

/// The next one's is come when it is dropped.
pub(super) struct PlaceInLine {
    before: Option<oneshot::Receiver<()>>,
    _over: oneshot::Sender<()>,
}

impl Line {
    pub fn take(&mut self) -> PlaceInLine {
        let (over, next) = oneshot::channel();
        PlaceInLine { before: self.last.replace(next), _over: over }
    }
}

impl PlaceInLine {
    /// Waits until the one before is over.
    pub async fn come_up(&mut self) {
        if let Some(before) = self.before.take() {
            // It is never sent, only dropped.
            _ = before.await;
        }
    }
}
