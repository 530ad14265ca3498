//! The watermark of several channels: the smallest of those that count.
//!
//! A channel is active, idle or ended. An idle one is left out, and counts again once its watermark has caught up with the merged one: time never falls
//! back, and what comes behind it meanwhile is late. Where every channel is idle or has ended the merged watermark stays, and whoever is behind is told
//! that it does; it comes first to the smallest of the idle ones that have one, or to the largest of the ended ones. (One that never had a watermark held it back until it was
//! idle: what the others had would depend on which of them was idle first, and might never be told.) Where all have ended it is [`END_OF_TIME`]. (A minimum over no channel at all, where the last active one ends beside an idle one, would
//! be that too, and all that follows would be late.)

use crate::element::{END_OF_TIME, NO_TIMESTAMP, Progress, Watermark};

/// What there is to tell of several channels, one behind the other.
pub type Merged = [Option<Progress>; 2];

/// Merges the watermarks of one gate.
#[derive(Clone, Debug)]
pub struct WatermarkValve {
    channels: Vec<Channel>,
    merged: Watermark,
    is_idle: bool,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    watermark: Watermark,
    state: ChannelState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChannelState {
    Active,
    Idle,
    Ended,
}

impl WatermarkValve {
    /// A valve of `channels` channels, none of which has a watermark yet.
    pub fn new(channels: usize) -> Self {
        let none = Watermark(NO_TIMESTAMP);
        Self { channels: vec![Channel { watermark: none, state: ChannelState::Active }; channels], merged: none, is_idle: false }
    }

    /// A channel has got further, or is idle: what that means for all, one behind the other. A watermark that falls back is one that stays.
    pub fn on_progress(&mut self, channel: usize, progress: Progress) -> Merged {
        let channel = &mut self.channels[channel];
        match progress {
            Progress::Watermark(watermark) => {
                *channel = Channel { watermark: watermark.max(channel.watermark), state: ChannelState::Active };
            }
            Progress::Idle => channel.state = ChannelState::Idle,
        }
        self.merge()
    }

    /// A channel has ended.
    pub(crate) fn on_end(&mut self, channel: usize) -> Merged {
        self.channels[channel].state = ChannelState::Ended;
        self.merge()
    }

    /// Time has come to here without any of the channels.
    pub(crate) fn raise(&mut self, watermark: Watermark) {
        self.merged = self.merged.max(watermark);
    }

    /// The merged watermark.
    pub(crate) fn merged(&self) -> Watermark {
        self.merged
    }

    fn merge(&mut self) -> Merged {
        let before = (self.merged, self.is_idle);
        let active = || self.channels.iter().filter(|channel| channel.state == ChannelState::Active);
        // One behind the merged watermark has been idle, and has not caught up.
        let counting = active().map(|channel| channel.watermark).filter(|watermark| *watermark >= self.merged).min();
        let has_ended = self.channels.iter().all(|channel| channel.state == ChannelState::Ended);
        let rests = active().next().is_none() && !has_ended;
        self.merged = match counting {
            Some(counting) => counting,
            None if has_ended => END_OF_TIME,
            None if rests => self.merged.max(self.of_those_that_rest()),
            None => self.merged,
        };
        self.is_idle = rests;
        let time = Some(Progress::Watermark(self.merged));
        match (before == (self.merged, self.is_idle), self.is_idle) {
            (true, _) => [None, None],
            (false, true) => [time.filter(|_| before.0 != self.merged), Some(Progress::Idle)],
            (false, false) => [time, None],
        }
    }

    /// How far time is where no channel is active.
    fn of_those_that_rest(&self) -> Watermark {
        let of = |state| self.channels.iter().filter(move |channel| channel.state == state).map(|channel| channel.watermark);
        let has_time = |watermark: &Watermark| *watermark > Watermark(NO_TIMESTAMP) && *watermark < END_OF_TIME;
        let idle = of(ChannelState::Idle).filter(has_time).min();
        idle.or(of(ChannelState::Ended).filter(has_time).max()).unwrap_or(Watermark(NO_TIMESTAMP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `A5` is a watermark 5 on channel A, `A~` its idleness, `A|` its end; the answer is what comes out behind each.
    #[track_caller]
    fn check(channels: usize, input: &str, expect: &str) {
        let mut valve = WatermarkValve::new(channels);
        let out: Vec<String> = input
            .split(' ')
            .map(|event| {
                let channel = (event.as_bytes()[0] - b'A') as usize;
                let merged = match &event[1..] {
                    "|" => valve.on_end(channel),
                    "~" => valve.on_progress(channel, Progress::Idle),
                    time => valve.on_progress(channel, Progress::Watermark(Watermark(time.parse().unwrap()))),
                };
                let told = merged.into_iter().flatten().map(|progress| match progress {
                    Progress::Idle => "~".into(),
                    Progress::Watermark(END_OF_TIME) => "end".into(),
                    Progress::Watermark(watermark) => watermark.0.to_string(),
                });
                let told = told.collect::<String>();
                if told.is_empty() { "-".into() } else { told }
            })
            .collect();
        assert_eq!(out.join(" "), expect, "{input}");
    }

    #[test]
    fn the_slowest_channel_decides() {
        check(1, "A1 A5 A3", "1 5 -");
        check(2, "A5 B3 B4 B9 A7", "- 3 4 5 7");
    }

    #[test]
    fn an_ended_channel_no_longer_holds_the_others_back() {
        check(2, "A5 B2 B| A6", "- 2 5 6");
    }

    #[test]
    fn behind_the_end_of_all_channels_there_is_no_time() {
        check(2, "A| B|", "- end");
        check(2, "A5 A| B2 B|", "- - 2 end");
    }

    #[test]
    fn an_idle_channel_is_left_out() {
        check(2, "A5 B2 B~ A6", "- 2 5 6");
        check(2, "B~ A5", "- 5");
    }

    #[test]
    fn time_stays_where_nobody_counts_and_is_not_at_its_end() {
        check(2, "A5 B~ A~ A| B|", "- 5 ~ - end");
        check(2, "A5 B~ A| B7", "- 5 ~ 7");
        check(1, "A5 A~ A5 A~ A9", "5 ~ 5 ~ 9");
        check(1, "A~", "~");
    }

    #[test]
    fn one_that_never_had_a_time_takes_none_of_the_others_away_whichever_is_idle_first() {
        check(2, "A5 B~ A~", "- 5 ~");
        check(2, "A5 A~ B~", "- - 5~");
        check(3, "A5 B9 A~ B~ C~", "- - - - 5~");
        check(3, "A5 B9 B| A~ C~", "- - - - 5~");
        check(3, "A5 B9 A| B| C~", "- - - - 9~");
        // One that comes back goes on from there.
        check(2, "A5 A~ B~ B7 A6", "- - 5~ 7 -");
    }

    #[test]
    fn a_channel_that_comes_back_counts_once_it_has_caught_up() {
        check(2, "A5 B2 B~ B3 A8 B8 A9 B10", "- 2 5 - 8 - - 9");
        // It holds nobody back, and whoever is behind hears that there is somebody again.
        check(2, "A5 B2 B~ A~ B3 B4 B7", "- 2 5 ~ 5 - 7");
        check(2, "A5 B2 B~ B3 A| B4 B6", "- 2 5 - - - 6");
    }
}
