//! The connections of the API: so many at most, and each with something to do.
//!
//! Every descriptor that is held here is one that the dataflow has not. So there is a bound on connections, and the last descriptors of the process are never
//! taken for one; where there is no room, the oldest connection without a request makes way, or else the oldest with a stream, or else the oldest whose request has
//! not come whole. One that sends nothing, or reads nothing, is closed. Whoever is refused is told why.

use super::patient::Patient;
use super::refusal::Refusal;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;
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
/// Connections that are being refused at once, and how long each has to read why.
const REFUSED_MAX: usize = 8;
const REFUSED_FOR: Duration = Duration::from_millis(500);
/// The content type of a stream of events.
const EVENT_STREAM: &str = "text/event-stream";
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
    refused: JoinSet<()>,
    /// In the order in which they came.
    open: BTreeMap<u64, Connection>,
    next: u64,
}

struct Connection {
    task: AbortHandle,
    progress: Progress,
}

/// How far the request of a connection has come. Cheap to clone: the request carries it along.
#[derive(Clone)]
pub(super) struct Progress(Arc<AtomicU8>);

/// There is none, or not even its head is whole.
const IDLE: u8 = 0;
/// Its body is being read.
const ARRIVING: u8 = 1;
/// It is being worked on.
const WORKED_ON: u8 = 2;
/// It is answered by a stream, which goes on: the last event of that is the end of the job.
const STREAMING: u8 = 3;

/// Its request is arriving until this is dropped.
pub(super) struct Arriving<'a>(&'a Progress);

impl Progress {
    fn none() -> Self {
        Self(Arc::new(AtomicU8::new(IDLE)))
    }

    /// That of a request that is being worked on.
    #[cfg(test)]
    pub fn begun() -> Self {
        Self(Arc::new(AtomicU8::new(WORKED_ON)))
    }

    fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    /// Its body is being read from now on.
    pub fn arriving(&self) -> Arriving<'_> {
        self.set(ARRIVING);
        Arriving(self)
    }

    /// Without a request.
    pub fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == IDLE
    }

    /// Without a request, or with one that is answered by a stream.
    fn is_spare(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), IDLE | STREAMING)
    }

    /// Without a request that is whole, so that nothing has been done for it, or with a stream, which can be asked for again.
    pub fn may_make_way(&self) -> bool {
        self.0.load(Ordering::Relaxed) != WORKED_ON
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.0.set(WORKED_ON);
    }
}

/// The one that makes way for a new connection, of these from the oldest to the newest.
fn makes_way<'a>(open: impl Iterator<Item = (u64, &'a Progress)> + Clone) -> Option<u64> {
    let first = |may: fn(&Progress) -> bool| open.clone().find(|(_, progress)| may(progress));
    let found = first(Progress::is_idle).or_else(|| first(Progress::is_spare)).or_else(|| first(Progress::may_make_way));
    found.map(|(number, _)| number)
}

/// Serves `router` until `closing` says so, and then until every request that is being worked on has its answer. Dropping it closes everything.
pub(super) async fn serve(listener: TcpListener, router: Router, room: Room, clock: Arc<dyn Clock>, closing: watch::Receiver<bool>) {
    let mut connections = Connections {
        room,
        router,
        clock: clock.clone(),
        closing: closing.clone(),
        tasks: JoinSet::new(),
        refused: JoinSet::new(),
        open: BTreeMap::new(),
        next: 0,
    };
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
                connections.close_spare();
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
        while self.refused.try_join_next().is_some() {}
        if !self.room.has(&stream) {
            self.close_spare();
            return say_no_room(&stream);
        }
        if self.open.len() >= self.room.connections && !self.make_way() {
            say_no_room(&stream);
            return self.let_read(stream);
        }
        let progress = Progress::none();
        let served = self.served(stream, progress.clone()).map(drop);
        let task = self.tasks.spawn(served);
        self.open.insert(self.next, Connection { task, progress });
        self.next += 1;
    }

    /// Leaves a refused connection open for a moment: one that is closed on what it has sent may lose the answer.
    fn let_read(&mut self, mut stream: TcpStream) {
        if self.refused.len() < REFUSED_MAX {
            let ends = self.clock.sleep_until(self.clock.now() + REFUSED_FOR);
            self.refused.spawn(async move {
                let mut thrown_away = [0; 4 << 10];
                let sent = async { while let Ok(1..) = stream.read(&mut thrown_away).await {} };
                select(pin!(sent), ends).await;
            });
        }
    }

    fn served(&self, stream: TcpStream, progress: Progress) -> impl Future<Output = ()> + Send + use<> {
        let router = TowerToHyperService::new(self.router.clone());
        let (closing, io) = (self.closing.clone(), TokioIo::new(Patient::new(stream, self.clock.clone())));
        let answer = service_fn(move |mut request: Request<Incoming>| {
            progress.set(WORKED_ON);
            request.extensions_mut().insert(progress.clone());
            let (progress, answer) = (progress.clone(), router.call(request));
            async move {
                let answer = answer.await;
                let streams = |of: &Response| of.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == EVENT_STREAM);
                progress.set(if answer.as_ref().is_ok_and(streams) { STREAMING } else { IDLE });
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

    /// Closes those that nothing is asked on. Streams are told the end of the job first.
    fn close_idle(&mut self) {
        self.close_all(Progress::is_idle);
    }

    /// Closes those that nothing is lost with.
    fn close_spare(&mut self) {
        self.close_all(Progress::is_spare);
    }

    fn close_all(&mut self, may_close: impl Fn(&Progress) -> bool) {
        let closed = self.open.extract_if(.., |_, connection| may_close(&connection.progress));
        closed.for_each(|(_, connection)| connection.task.abort());
    }

    /// False where a request of every connection is being worked on.
    fn make_way(&mut self) -> bool {
        self.close(makes_way(self.open.iter().map(|(number, connection)| (*number, &connection.progress))))
    }

    fn close(&mut self, number: Option<u64>) -> bool {
        match number.and_then(|number| self.open.remove(&number)) {
            Some(connection) => {
                connection.task.abort();
                true
            }
            None => false,
        }
    }
}

/// Says so to a connection for which there is no room, as far as that goes without waiting.
fn say_no_room(stream: &TcpStream) {
    _ = stream.try_write(no_room().as_bytes());
}

/// The whole answer.
fn no_room() -> String {
    let message = "the job answers as many requests as it can";
    let body = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "ask again when some of them are done").document().to_string();
    let head = format!("content-type: application/json\r\ncontent-length: {}\r\nconnection: close", body.len());
    format!("HTTP/1.1 503 Service Unavailable\r\n{head}\r\n\r\n{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `stages` of the connections, the oldest first: `-` without a request, `s` a stream, `a` arriving, `w` worked on.
    #[track_caller]
    fn check(stages: &str, expect: Option<u64>) {
        let progress = |stage: char| {
            let progress = Progress::none();
            progress.set(match stage {
                '-' => IDLE,
                'a' => ARRIVING,
                's' => STREAMING,
                _ => WORKED_ON,
            });
            progress
        };
        let open: Vec<Progress> = stages.chars().map(progress).collect();
        assert_eq!(makes_way((0..).zip(&open)), expect, "{stages}");
    }

    #[test]
    fn what_is_idle_makes_way_first_then_a_stream_then_what_is_still_coming_and_work_never() {
        check("wa-a-", Some(2));
        check("waas-", Some(4));
        check("wasas", Some(2));
        check("waa", Some(1));
        check("www", None);
        check("", None);
    }

    #[test]
    fn who_is_refused_is_told_why_in_json() {
        let said = no_room();
        let (head, body) = said.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains(&format!("content-length: {}", body.len())), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert!(body["error"]["message"].is_string() && body["error"]["hint"].is_string(), "{body}");
    }

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
