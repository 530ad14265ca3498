//! What a job may have committed to which anything has happened: a plain model of its promises, and where the output is not what they allow.
//!
//! Invariant: nothing is allowed that the input does not give, not even where records may be worked off again. There a count may go on beyond
//! that of the input, one after the other, and a line may come again; no other line may be there.

use super::{Lines, Topology, differences};

/// What a job has promised, all its processes together.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// The job's shape.
    pub topology: Topology,
    /// How often the job has gone back to a savepoint: a line may be there once more for each.
    pub segments: u64,
    /// Some process of the job was at-least-once.
    pub repeats: bool,
}

impl Allowed {
    /// Where `committed` is not what may come of an input that gives `expected`; nothing where it is.
    pub fn difference(&self, committed: &Lines, expected: &Lines) -> Option<String> {
        if self.repeats {
            return self.difference_where_lines_repeat(committed, expected);
        }
        let most = 1 + self.segments;
        let within = |(line, times): (&String, &u64)| {
            let wanted = expected.get(line).copied().unwrap_or(0);
            let within = (wanted..=wanted * most).contains(times);
            (line.clone(), if within { wanted } else { *times })
        };
        differences(&committed.iter().map(within).collect(), expected)
    }

    fn difference_where_lines_repeat(&self, committed: &Lines, expected: &Lines) -> Option<String> {
        let at_least = |lines: &Lines| lines.keys().map(|line| (self.topology.at_least(line).to_owned(), 1)).collect::<Lines>();
        let (mut found, wanted) = (at_least(committed), at_least(expected));
        let all = found.clone();
        let goes_on = |line: &str| self.topology.one_less(line).is_some_and(|before| all.contains_key(&before));
        found.retain(|line, _| wanted.contains_key(line) || !goes_on(line));
        differences(&found, &wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails unless `committed`, lines with a comma behind each, is found to be fine or not beside the first lines of an input.
    #[track_caller]
    fn check(allowed: Allowed, committed: &str, fine: bool) {
        let lines = |text: &str| {
            text.split(',').map(str::trim).fold(Lines::new(), |mut lines, line| {
                *lines.entry(allowed.topology.written(line)).or_default() += 1;
                lines
            })
        };
        let expected = match allowed.topology {
            Topology::Counted => "out a 1, out a 2, out b 1",
            Topology::CountedTwice => "out a 1#1, out a 2#2, out b 1#1",
            Topology::Joined => "out N1 7, out N1 9",
            Topology::SetAside | Topology::KeptAside => "out v1#1, bad bad;13, aside trap",
            Topology::Migrated => "out N1 1 30, out N1 2 10",
            Topology::Timed => "out 3 window of 7 8#2, fired 3 minute #2",
        };
        let how = allowed.difference(&lines(committed), &lines(expected));
        assert_eq!(how.is_none(), fine, "{allowed:?}: {committed}: {how:?}");
    }

    impl Topology {
        /// The line that a test writes short: `out a 3` is the third `a`.
        fn written(self, line: &str) -> String {
            let (Self::Counted | Self::CountedTwice) = self else { return line.to_owned() };
            let (counted, again) = line.split_once('#').map_or((line, String::new()), |(line, n)| (line, format!("#{n}")));
            let [sink, word, count] = counted.split(' ').collect::<Vec<_>>()[..] else { panic!("{line} has three parts") };
            format!("{sink} {{\"word\":\"{word}\",\"count\":{count}}}{again}")
        }
    }

    #[test]
    fn a_job_that_is_exactly_once_commits_each_line_once_in_each_segment_at_most() {
        let once = Allowed { topology: Topology::Counted, segments: 0, repeats: false };
        check(once, "out a 1, out a 2, out b 1", true);
        check(once, "out a 1, out b 1", false);
        check(once, "out a 1, out a 2, out a 2, out b 1", false);
        check(once, "out a 1, out a 2, out a 3, out b 1", false);
        let back = Allowed { segments: 1, ..once };
        check(back, "out a 1, out a 2, out a 2, out b 1", true);
        check(back, "out a 1, out a 2, out a 2, out a 2, out b 1", false);
    }

    #[test]
    fn where_lines_repeat_counts_go_on_and_nothing_is_invented() {
        let repeats = |topology| Allowed { topology, segments: 0, repeats: true };
        let counted = repeats(Topology::Counted);
        check(counted, "out a 1, out a 2, out a 2, out a 3, out a 4, out b 1", true);
        check(counted, "out a 1, out b 1", false);
        check(counted, "out a 1, out a 2, out a 4, out b 1", false);
        check(counted, "out a 1, out a 2, out b 1, out c 1", false);
        check(repeats(Topology::CountedTwice), "out a 1#1, out a 2#3, out a 3#4, out b 1#1", true);
        check(repeats(Topology::CountedTwice), "out a 1#1, out a 2#2, out b 1#1, out c 1#1", false);
        check(repeats(Topology::Joined), "out N1 7, out N1 7, out N1 9", true);
        check(repeats(Topology::Joined), "out N1 7, out N1 8, out N1 9", false);
        check(repeats(Topology::SetAside), "out v1#1, out v1#2, bad bad;13, bad bad;13, aside trap", true);
        check(repeats(Topology::KeptAside), "out v1#1, out v2#1, bad bad;13, aside trap", false);
        check(repeats(Topology::Migrated), "out N1 1 30, out N1 1 30, out N1 2 10, out N1 3 20", true);
        check(repeats(Topology::Migrated), "out N1 1 30, out N1 2 10, out N1 4 20", false);
        let timed = repeats(Topology::Timed);
        check(timed, "out 3 window of 7 8#3, out 3 window of 7 8#2, fired 3 minute #3", true);
        check(timed, "out 3 window of 7#1, out 3 window of 7 8#2, fired 3 minute #2", false);
        check(timed, "out 3 window of 7 8#2", false);
        check(Allowed { repeats: false, ..timed }, "out 3 window of 7 8#3, fired 3 minute #2", false);
    }
}
