//! What a client has to say beside messages: statistics about once a second, and errors. It says so in a queue that nobody bounds, so it is listened to also while its reader is not called,
//! as while what feeds on the source is slow: statistics say then how far the partitions go, and errors are kept for the reader, the newest of them.

use super::client::{Consumer, aside};
use super::queue::has_news;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the client is left alone. What it says in that time is all that piles up.
const PAUSE: Duration = Duration::from_secs(1);
/// So many errors are kept.
const KEPT: usize = 64;

/// What a client has said. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct News(Arc<Mutex<VecDeque<Said>>>);

/// Something that a client has said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Failed(KafkaError),
    /// A message that came in no queue of its own, by its place.
    Message {
        topic: String,
        partition: i32,
        offset: i64,
    },
}

impl News {
    /// Listens to a client for as long as anybody else has it.
    pub(super) fn listen_to(&self, consumer: &Arc<Consumer>) {
        let (news, consumer) = (self.clone(), Arc::downgrade(consumer));
        aside(move || {
            while let Some(consumer) = consumer.upgrade() {
                news.hear(&consumer);
                drop(consumer);
                pause();
            }
        });
    }

    /// Hears all that a client has to say: it wakes for the first thing only that it says while there is nothing. Messages are in the partitions' queues, which are split
    /// off before anything is fetched.
    pub(super) fn hear(&self, consumer: &Consumer) {
        loop {
            let said = match consumer.poll(Duration::ZERO) {
                None if has_news(consumer) => continue,
                None => return,
                Some(Ok(message)) => {
                    Said::Message { topic: message.topic().to_owned(), partition: message.partition(), offset: message.offset() }
                }
                Some(Err(error)) => Said::Failed(error),
            };
            self.keep(said);
        }
    }

    fn keep(&self, said: Said) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(said);
    }

    /// The oldest that nobody has taken.
    pub(super) fn take(&self) -> Option<Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the thread is the client's own, which goes by real time as well, and no task of the job waits for it"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::error::RDKafkaErrorCode;

    #[test]
    fn the_newest_are_kept_and_taken_in_their_order() {
        let news = News::default();
        let said = |number: usize| Said::Message { topic: "t".into(), partition: 0, offset: number as i64 };
        (0..KEPT + 3).for_each(|number| news.keep(said(number)));
        assert_eq!(std::iter::from_fn(|| news.take()).collect::<Vec<_>>(), (3..KEPT + 3).map(said).collect::<Vec<_>>());
        news.keep(Said::Failed(KafkaError::MessageConsumption(RDKafkaErrorCode::AllBrokersDown)));
        assert!(matches!(news.clone().take(), Some(Said::Failed(_))) && news.take().is_none());
    }
}
