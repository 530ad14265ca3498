//! The connections of the API: so many at most, and each with something to do.
//!
//! Every descriptor that is held here is one that the dataflow has not. So there is a bound on connections, and the last descriptors of the process are never
//! taken for one; where there is no room, the oldest connection without a request makes way. One that sends nothing, or reads nothing, is closed.

use super::patient::Patient;
use axum::Router;
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use weir_engine::runtime::Clock;

/// Connections at once.
const CONNECTIONS_MAX: usize = 64;
/// Descriptors that no connection takes: they are the dataflow's.
const RESERVE: u64 = 32;
/// How long a connection may be without a whole head of a request: idle between two, or half-way through one.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Bytes that are read ahead of a connection, and of the head of a request.
const BUFFER_MAX: usize = 64 << 10;
/// Waits between two accepts that fail: from the shortest, doubled each time.
const BACK_OFF: Duration = Duration::from_millis(20);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    connections: usize,
    /// The lowest descriptor that is none of ours.
    descriptors: u64,
}

impl Room {
    /// In a process that may have this many descriptors.
    pub fn of(descriptors: u64) -> Self {
        let connections = usize::try_from(descriptors / 8).unwrap_or(CONNECTIONS_MAX).clamp(1, CONNECTIONS_MAX);
        Self { connections, descriptors: descriptors.saturating_sub(RESERVE.min(descriptors / 4)) }
    }

    /// The system gives the lowest descriptor that is free: a high one says how few are left.
    fn has(self, stream: &TcpStream) -> bool {
        descriptor(stream) < self.descriptors
    }
}

#[cfg(unix)]
fn descriptor(stream: &TcpStream) -> u64 {
    use std::os::fd::AsRawFd;
    stream.as_raw_fd().try_into().unwrap_or(0)
}

#[cfg(not(unix))]
fn descriptor(_stream: &TcpStream) -> u64 {
    0
}

/// The connections that there are.
struct Connections {
    room: Room,
    router: Router,
    clock: Arc<dyn Clock>,
    closing: watch::Receiver<bool>,
    tasks: JoinSet<()>,
    /// In the order in which they came.
    open: BTreeMap<u64, Connection>,
    next: u64,
}

struct Connection {
    task: AbortHandle,
    /// A request of it is being worked on.
    busy: Arc<AtomicBool>,
}

/// Serves `router` until `closing` says so, and then until every request that is being worked on has its answer. Dropping it closes everything.
pub(super) async fn serve(listener: TcpListener, router: Router, room: Room, clock: Arc<dyn Clock>, closing: watch::Receiver<bool>) {
    let mut connections =
        Connections { room, router, clock: clock.clone(), closing: closing.clone(), tasks: JoinSet::new(), open: BTreeMap::new(), next: 0 };
    let (mut closed, mut back_off) = (pin!(closed(closing)), BACK_OFF);
    loop {
        let accepted = match select(pin!(listener.accept()), closed.as_mut()).await {
            Either::Left((accepted, _)) => accepted,
            Either::Right(_) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.take(stream);
                back_off = BACK_OFF;
            }
            // Most often there are no descriptors left. What waits in the queue is there afterwards, too.
            Err(_) => {
                connections.close_idle();
                select(clock.sleep_until(clock.now() + back_off), closed.as_mut()).await;
                back_off = (2 * back_off).min(BACK_OFF_MAX);
            }
        }
    }
    drop(listener);
    connections.close_idle();
    while connections.tasks.join_next().await.is_some() {}
}

/// Resolves once `closing` says so.
async fn closed(mut closing: watch::Receiver<bool>) {
    _ = closing.wait_for(|closing| *closing).await;
}

impl Connections {
    fn take(&mut self, stream: TcpStream) {
        self.open.retain(|_, connection| !connection.task.is_finished());
        while self.tasks.try_join_next().is_some() {}
        if !self.room.has(&stream) {
            self.close_idle();
            return refuse(&stream);
        }
        if self.open.len() >= self.room.connections && !self.close_oldest_idle() {
            return refuse(&stream);
        }
        let busy = Arc::new(AtomicBool::new(false));
        let served = self.served(stream, busy.clone()).map(drop);
        let task = self.tasks.spawn(served);
        self.open.insert(self.next, Connection { task, busy });
        self.next += 1;
    }

    fn served(&self, stream: TcpStream, busy: Arc<AtomicBool>) -> impl Future<Output = ()> + Send + use<> {
        let router = TowerToHyperService::new(self.router.clone());
        let (closing, io) = (self.closing.clone(), TokioIo::new(Patient::new(stream, self.clock.clone())));
        let answer = service_fn(move |request: Request<Incoming>| {
            busy.store(true, Ordering::Relaxed);
            let (busy, answer) = (busy.clone(), router.call(request));
            async move {
                let answer = answer.await;
                busy.store(false, Ordering::Relaxed);
                answer
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(BUFFER_MAX);
        async move {
            // A client that goes away is no concern of the job's.
            match select(pin!(http.serve_connection(io, answer)), pin!(closed(closing))).await {
                Either::Left(_) => {}
                Either::Right((_, mut connection)) => {
                    connection.as_mut().graceful_shutdown();
                    _ = connection.await;
                }
            }
        }
    }

    fn close_idle(&mut self) {
        while self.close_oldest_idle() {}
    }

    /// False where every connection is in the midst of a request.
    fn close_oldest_idle(&mut self) -> bool {
        let idle = self.open.iter().find(|(_, connection)| !connection.busy.load(Ordering::Relaxed)).map(|(number, _)| *number);
        match idle.and_then(|number| self.open.remove(&number)) {
            Some(connection) => {
                connection.task.abort();
                true
            }
            None => false,
        }
    }
}

/// Says so to a connection for which there is no room, as far as that goes without waiting.
fn refuse(stream: &TcpStream) {
    let said: io::Result<usize> = stream.try_write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    _ = said;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_left_to_the_dataflow_however_few_there_are() {
        let room = |descriptors| {
            let Room { connections, descriptors } = Room::of(descriptors);
            (connections, descriptors)
        };
        assert_eq!(room(1 << 20), (64, (1 << 20) - 32));
        assert_eq!(room(1_024), (64, 992));
        assert_eq!(room(256), (32, 224));
        assert_eq!(room(24), (3, 18));
        assert_eq!(room(0), (1, 0));
    }
}
