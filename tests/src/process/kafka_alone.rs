//! Kafka brokers that a test may kill, stop and hold.
//!
//! They are others than the one that all tests share. Were there one alone, whoever kills it would wait until nobody uses it, everybody else until it runs again, and both threads of
//! tests would stand there most of the time. There are as many as tests run beside each other on two cores; with more threads a test may wait for its turn.

use super::kafka_server::KafkaServer;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

/// A broker that is started when it is first needed.
struct Killable {
    /// Held by the test that has it.
    turn: Mutex<()>,
    /// `None` on a machine that cannot have one.
    server: OnceLock<Option<KafkaServer>>,
}

static KILLABLE: [Killable; 2] = [const { Killable { turn: Mutex::new(()), server: OnceLock::new() } }; 2];

/// A broker that one test alone uses, which may kill it. It runs again behind that.
pub struct KafkaAlone {
    server: &'static KafkaServer,
    _turn: MutexGuard<'static, ()>,
}

impl KafkaServer {
    /// A broker that the test may kill, and that no other uses meanwhile; it has what tests before have left there. `None` on a machine that cannot have one.
    pub fn alone() -> Option<KafkaAlone> {
        let free = |killable: &'static Killable| match killable.turn.try_lock() {
            Ok(turn) => Some((killable, turn)),
            Err(TryLockError::Poisoned(failed)) => Some((killable, failed.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        };
        let (killable, turn) = KILLABLE.iter().find_map(free).unwrap_or_else(|| {
            let first = &KILLABLE[0];
            (first, first.turn.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let server = killable.server.get_or_init(Self::started).as_ref()?;
        Some(KafkaAlone { server, _turn: turn })
    }
}

impl Deref for KafkaAlone {
    type Target = KafkaServer;

    fn deref(&self) -> &KafkaServer {
        self.server
    }
}

impl KafkaAlone {
    /// Kills it.
    pub fn kill(&self) {
        self.server.order("kill");
    }

    /// Stops it in order.
    pub fn stop(&self) {
        self.server.order("stop");
    }

    /// Takes away the records of the first partition of a topic, while it is dead.
    pub fn empty(&self, topic: &str) {
        self.server.order(&format!("empty {topic}"));
    }

    /// Starts it again, with what it had, and waits until it answers.
    #[track_caller]
    pub fn begin(&self) {
        self.begin_with("");
    }

    /// The same, as one that makes a topic where somebody who may asks about one that is not there: most clusters do so unless they are told not to.
    #[track_caller]
    pub fn begin_making_topics(&self) {
        self.begin_with(" --override auto.create.topics.enable=true");
    }

    #[track_caller]
    fn begin_with(&self, more: &str) {
        self.server.order(&format!("begin{more}"));
        self.wait_until_ready();
    }

    /// Stops its process where it is: its connections stand, and nobody answers. The client must not ask it anything then.
    pub fn hold(&self) {
        self.server.order("hold");
    }

    /// Lets its process go on.
    #[track_caller]
    pub fn release(&self) {
        self.server.order("release");
        self.wait_until_ready();
    }

    #[track_caller]
    fn wait_until_ready(&self) {
        self.server.ready().unwrap_or_else(|why| panic!("the broker does not answer: {why}"));
    }
}

impl Drop for KafkaAlone {
    fn drop(&mut self) {
        // A test that failed may have left it dead, or held.
        if std::thread::panicking() {
            self.server.order("kill");
            self.server.order("begin");
            // Who is next finds out that it does not answer.
            _ = self.server.ready();
        }
    }
}
