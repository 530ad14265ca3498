//! A component on its way to a registry: in pieces, so that it is seen how far it is, and given up where it does not move.

use bytes::Bytes;
use futures_util::{FutureExt, select_biased};
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};

/// Bytes of a piece.
const PIECE: usize = 64 << 10;
/// How long the registry may neither take a piece nor answer.
const STALLED: Duration = Duration::from_secs(60);
/// How often within that time it is looked.
const LOOKS: u32 = 6;

/// How many bytes of something have been taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken(Arc<AtomicU64>);

/// Something that is sent.
#[derive(Debug)]
pub(super) struct Sending {
    left: Bytes,
    taken: Taken,
}

impl Sending {
    /// Sends `bytes`, and says in `taken` how many have gone.
    pub fn new(bytes: Bytes, taken: Taken) -> Self {
        Self { left: bytes, taken }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = PIECE.min(self.left.len());
        let piece = self.left.split_to(bytes);
        self.taken.0.fetch_add(bytes as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

impl Taken {
    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// What `work` comes to, which sends; an error where it neither ends nor sends for a while.
    pub async fn while_it_moves<T>(&self, clock: &dyn Clock, work: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        let mut work = pin!(work.fuse());
        let (mut seen, mut since) = (self.bytes(), clock.now());
        loop {
            let mut look = pin!(clock.sleep_until(clock.now() + STALLED / LOOKS).fuse());
            select_biased! {
                done = work => return done,
                () = look => {}
            }
            if self.bytes() != seen {
                (seen, since) = (self.bytes(), clock.now());
            } else if clock.now().saturating_sub(since) >= STALLED {
                let what =
                    format!("the registry neither takes more nor answers for {} s, {seen} bytes after it began to", STALLED.as_secs());
                return Err(EngineError::new(ErrorKind::Retry, what));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use weir_engine::runtime::{SimulationEnd, Simulator};

    /// What becomes of sending `pieces` of them, each taken so many seconds after the one before, and an answer as long behind the last.
    fn sent(pieces: u64, seconds: u64) -> Result<Duration, String> {
        let simulator = Simulator::new(1);
        let (clock, outcome) = (simulator.runtime().clock, Arc::new(Mutex::new(None)));
        let kept = Arc::clone(&outcome);
        let work = async move {
            let taken = Taken::default();
            let mut body = Sending::new(Bytes::from(vec![7; PIECE * pieces as usize]), taken.clone());
            let sending = async {
                loop {
                    clock.sleep_until(clock.now() + Duration::from_secs(seconds)).await;
                    if std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.is_none() {
                        return Ok(clock.now());
                    }
                }
            };
            let outcome = taken.while_it_moves(&*clock, sending).await;
            assert!(outcome.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::Retry));
            *kept.lock().expect("no panic") = Some(outcome.map_err(|error| error.to_string()));
        };
        assert_eq!(simulator.run(work.boxed(), 10_000), SimulationEnd::Finished);
        outcome.lock().expect("no panic").take().expect("it has ended")
    }

    #[test]
    fn what_moves_slowly_arrives_and_what_does_not_move_is_given_up() {
        assert_eq!(sent(20, 45), Ok(Duration::from_secs(21 * 45)));
        let stalled = sent(3, 100).expect_err("it stalls before the first piece");
        assert_eq!(stalled, "the registry neither takes more nor answers for 60 s, 0 bytes after it began to");
        assert_eq!(sent(0, 59), Ok(Duration::from_secs(59)));
    }

    #[test]
    fn a_body_comes_whole_and_in_pieces_and_is_as_long_as_it_says() {
        let bytes: Bytes = (0..3 * PIECE + 5).map(|at| at as u8).collect();
        let taken = Taken::default();
        let mut body = Sending::new(bytes.clone(), taken.clone());
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(bytes.len() as u64), false));
        let mut came = Vec::new();
        while let Some(frame) =
            std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).now_or_never().expect("it waits for nobody")
        {
            let piece = frame.expect("nothing fails").into_data().expect("data");
            assert!(piece.len() <= PIECE);
            came.extend(piece);
            assert_eq!(taken.bytes(), came.len() as u64);
        }
        assert_eq!((came == bytes, body.is_end_stream()), (true, true));
    }
}
