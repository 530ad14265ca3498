//! The watermark of several channels: the smallest of those that count.
//!
//! A channel is active, idle or ended. An idle one is left out, and counts again once its watermark has caught up with the merged one: time never falls
//! back, and what comes behind it meanwhile is late. Where every channel is idle or has ended the merged watermark stays, and whoever is behind is told
//! that it does; where all have ended it is [`END_OF_TIME`]. (A minimum over no channel at all, where the last active one ends beside an idle one, would
//! be that too, and all that follows would be late.)

use crate::element::{END_OF_TIME, NO_TIMESTAMP, Progress, Watermark};

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

    /// A channel has got further, or is idle: what that means for all. A watermark that falls back is one that stays.
    pub fn on_progress(&mut self, channel: usize, progress: Progress) -> Option<Progress> {
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
    pub(crate) fn on_end(&mut self, channel: usize) -> Option<Progress> {
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

    fn merge(&mut self) -> Option<Progress> {
        let before = (self.merged, self.is_idle);
        let active = || self.channels.iter().filter(|channel| channel.state == ChannelState::Active);
        // One behind the merged watermark has been idle, and has not caught up.
        let counting = active().map(|channel| channel.watermark).filter(|watermark| *watermark >= self.merged);
        let has_ended = self.channels.iter().all(|channel| channel.state == ChannelState::Ended);
        self.merged = counting.min().or(has_ended.then_some(END_OF_TIME)).unwrap_or(self.merged);
        self.is_idle = active().next().is_none() && !has_ended;
        match (before == (self.merged, self.is_idle), self.is_idle) {
            (true, _) => None,
            (false, true) => Some(Progress::Idle),
            (false, false) => Some(Progress::Watermark(self.merged)),
        }
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
                match merged {
                    None => "-".into(),
                    Some(Progress::Idle) => "~".into(),
                    Some(Progress::Watermark(END_OF_TIME)) => "end".into(),
                    Some(Progress::Watermark(watermark)) => watermark.0.to_string(),
                }
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
    fn a_channel_that_comes_back_counts_once_it_has_caught_up() {
        check(2, "A5 B2 B~ B3 A8 B8 A9 B10", "- 2 5 - 8 - - 9");
        // It holds nobody back, and whoever is behind hears that there is somebody again.
        check(2, "A5 B2 B~ A~ B3 B4 B7", "- 2 5 ~ 5 - 7");
        check(2, "A5 B2 B~ B3 A| B4 B6", "- 2 5 - - - 6");
    }
}
