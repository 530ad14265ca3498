//! A connection whose other end has to read what it is sent: one that does not for a while is closed, and holds neither a descriptor nor a buffer any longer.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weir_engine::runtime::Clock;

/// How long the other end may read nothing of what waits for it.
const UNREAD: Duration = Duration::from_secs(10);

/// A stream, and since when it has not taken what is written to it.
pub(super) struct Patient<S> {
    stream: S,
    clock: Arc<dyn Clock>,
    patience: Option<BoxFuture<'static, ()>>,
}

impl<S> Patient<S> {
    /// Nothing waits yet.
    pub fn new(stream: S, clock: Arc<dyn Clock>) -> Self {
        Self { stream, clock, patience: None }
    }

    /// What a write has come to, or that it has waited for too long.
    fn within_patience<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.patience = None;
            return written;
        }
        let clock = &self.clock;
        let patience = self.patience.get_or_insert_with(|| clock.sleep_until(clock.now() + UNREAD));
        patience.poll_unpin(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.within_patience(written, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.within_patience(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.within_patience(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.within_patience(shut, cx)
    }
}
