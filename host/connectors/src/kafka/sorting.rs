//! Which of several messages that were refused together is at fault: whoever sends them again leaves those out that are known to be, and pauses at cuts, so that what lies
//! on either side of one is in different batches. Each try finds one at fault or makes a batch smaller that is refused, down to a single message, so there is an end.

use super::refusals::Weight;
use rdkafka::error::RDKafkaErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of messages that have numbers in the order in which they are sent.
#[derive(Debug, Default)]
pub(super) struct Sorting {
    /// Those that are at fault, and why.
    faults: BTreeMap<usize, String>,
    /// In front of these nothing may be on its way any more.
    cuts: BTreeSet<usize>,
    /// How often something was refused.
    refusals: usize,
}

impl Sorting {
    /// Those that are at fault, and why.
    pub(super) fn faults(&self) -> &BTreeMap<usize, String> {
        &self.faults
    }

    /// This one is at fault. What lies on either side of it need not be kept apart for it any more: each cut is waited at.
    pub(super) fn is_at_fault(&mut self, message: usize, why: String) {
        self.faults.insert(message, why);
        [message, message + 1].iter().for_each(|cut| _ = self.cuts.remove(cut));
    }

    /// This one is sent with nobody beside it. Whoever sends waits in front of it.
    pub(super) fn keep_apart(&mut self, message: usize) {
        self.cuts.insert(message + 1);
    }

    /// How often something was refused.
    pub(super) fn refusals(&self) -> usize {
        self.refusals
    }

    /// True where all that was sent before has to be taken before this one is sent.
    pub(super) fn is_cut(&self, message: usize) -> bool {
        self.cuts.contains(&message)
    }

    /// These were refused, all of them between two cuts. False where nothing can be learned of that: none of them is at fault.
    ///
    /// One that was refused with nobody beside it is at fault. Some brokers say which of a batch are, where their times or the lack of a key is why; but of another batch, which is
    /// refused along with that one, all are told the same as those. So what they say is where to look: a cut is made on either side of each, and one in the middle,
    /// and around the message that is the likeliest.
    pub(super) fn learn(
        &mut self,
        refused: &BTreeMap<usize, RDKafkaErrorCode>,
        suspicion: impl Fn(usize, RDKafkaErrorCode) -> u64,
    ) -> bool {
        self.refusals += 1;
        let is_told = refused.values().any(|code| *code == RDKafkaErrorCode::InvalidDifferentRecord);
        let suspects: Vec<(usize, RDKafkaErrorCode)> =
            refused.iter().map(|(message, code)| (*message, *code)).filter(|(_, code)| Weight::of(*code) == Weight::AtFault).collect();
        // It is said of a topic, and so of each message to it.
        let no_topic = suspects.iter().filter(|(_, code)| *code == RDKafkaErrorCode::InvalidTopic);
        let before = self.faults.len();
        self.faults.extend(no_topic.map(|(message, code)| (*message, code.to_string())));
        match suspects.as_slice() {
            _ if self.faults.len() > before => true,
            [] => false,
            [(message, code)] => {
                self.is_at_fault(*message, code.to_string());
                true
            }
            many => {
                let likeliest = many.iter().max_by_key(|(message, code)| suspicion(*message, *code)).expect("there are some").0;
                self.cuts.extend([many[many.len() / 2].0, likeliest, likeliest + 1]);
                let named = many.iter().filter(|(_, code)| is_told && *code == RDKafkaErrorCode::InvalidRecord);
                self.cuts.extend(named.flat_map(|(message, _)| [*message, *message + 1]));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode::{InvalidDifferentRecord, InvalidRecord, InvalidTimestamp, InvalidTopic, MessageSizeTooLarge};

    /// Sends messages of these sizes to a topic that takes batches of so many bytes, again and again until all is sorted. The faults, and how often it was sent.
    fn sorted(sizes: &[usize], most: usize) -> (Vec<usize>, usize) {
        let (sorting, tries) = sorting(sizes, most);
        (sorting.faults().keys().copied().collect(), tries)
    }

    fn sorting(sizes: &[usize], most: usize) -> (Sorting, usize) {
        let mut sorting = Sorting::default();
        for tries in 1.. {
            let (mut batch, mut refused) = (Vec::new(), BTreeMap::new());
            for message in 0..=sizes.len() {
                if message == sizes.len() || sorting.is_cut(message) {
                    if batch.iter().map(|message| sizes[*message]).sum::<usize>() > most {
                        refused = batch.iter().map(|message| (*message, MessageSizeTooLarge)).collect();
                        break;
                    }
                    batch.clear();
                }
                if message < sizes.len() && !sorting.faults().contains_key(&message) {
                    batch.push(message);
                }
            }
            if refused.is_empty() {
                return (sorting, tries);
            }
            assert!(sorting.learn(&refused, |message, _| sizes[message] as u64) && tries < 1_000, "{sorting:?}");
        }
        unreachable!("it ends")
    }

    #[test]
    fn of_messages_that_are_too_large_together_those_are_at_fault_that_are_too_large_alone() {
        assert_eq!(sorted(&[1, 1, 9, 1, 1], 5), (vec![2], 3));
        assert_eq!(sorted(&[9, 1, 9, 1, 9], 5).0, [0, 2, 4]);
        assert_eq!(sorted(&[3, 3, 3, 3], 5).0, [] as [usize; 0], "each alone will do");
        let (faults, tries) = sorted(&[&[1; 5_000][..], &[99], &[1; 5_000]].concat(), 10_050);
        assert!(faults == [5_000] || faults.is_empty(), "{faults:?}");
        assert!(tries < 10, "{tries}");
    }

    #[test]
    fn no_cut_is_left_for_one_that_is_found() {
        let sizes: Vec<usize> = (0..5_000).map(|message| if message % 100 == 50 { 20_000 } else { 1 }).collect();
        let (sorting, tries) = sorting(&sizes, 10_000);
        assert_eq!(sorting.faults().len(), 50);
        assert!(tries <= 101 && sorting.cuts.len() <= 60, "{tries} tries, {} cuts", sorting.cuts.len());
    }

    #[test]
    fn one_that_is_refused_alone_is_at_fault_and_what_is_said_of_several_is_where_to_look() {
        let learned = |refused: &[(usize, RDKafkaErrorCode)]| {
            let mut sorting = Sorting::default();
            let is_learned = sorting.learn(&refused.iter().copied().collect(), |_, _| 1);
            (is_learned, sorting.faults().keys().copied().collect::<Vec<_>>(), sorting.cuts.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(learned(&[(1, InvalidDifferentRecord), (2, InvalidTimestamp), (3, InvalidDifferentRecord)]), (true, vec![2], vec![]));
        let named = [(1, InvalidRecord), (2, InvalidDifferentRecord), (3, InvalidDifferentRecord), (4, InvalidRecord)];
        assert_eq!(learned(&named), (true, vec![], vec![1, 2, 4, 5]));
        assert_eq!(learned(&[(1, InvalidTopic), (2, InvalidTopic)]), (true, vec![1, 2], vec![]));
        assert_eq!(learned(&[(1, InvalidTimestamp)]), (true, vec![1], vec![]));
        assert_eq!(learned(&[(1, InvalidTimestamp), (2, InvalidTimestamp)]), (true, vec![], vec![2, 3]), "nobody says which");
        assert_eq!(learned(&[(1, InvalidDifferentRecord)]), (false, vec![], vec![]));
        // Two batches: of one the broker says which are at fault, of the other all are told the same.
        let both = [&named[..], &[(7, InvalidTimestamp), (8, InvalidTimestamp), (9, InvalidTimestamp)]].concat();
        assert_eq!(learned(&both).1, [] as [usize; 0]);
    }
}
