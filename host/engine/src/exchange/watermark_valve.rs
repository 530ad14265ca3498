//! The watermark of several channels: the smallest of theirs. An ended channel no longer counts.

use crate::element::{NO_TIMESTAMP, Watermark};

/// Merges the watermarks of one gate.
#[derive(Clone, Debug)]
pub struct WatermarkValve {
    /// `None`: the channel has ended.
    channels: Vec<Option<i64>>,
    merged: i64,
}

impl WatermarkValve {
    /// A valve of `channels` channels, none of which has a watermark yet.
    pub fn new(channels: usize) -> Self {
        Self { channels: vec![Some(NO_TIMESTAMP); channels], merged: NO_TIMESTAMP }
    }

    /// `channel` has reached `watermark`; the merged one, where that raises it. One that falls back is ignored.
    pub fn on_watermark(&mut self, channel: usize, watermark: Watermark) -> Option<Watermark> {
        if let Some(current) = &mut self.channels[channel] {
            *current = watermark.0.max(*current);
        }
        self.merge()
    }

    /// `channel` has ended.
    pub(crate) fn on_end(&mut self, channel: usize) -> Option<Watermark> {
        self.channels[channel] = None;
        self.merge()
    }

    fn merge(&mut self) -> Option<Watermark> {
        let smallest = self.channels.iter().flatten().copied().min()?;
        (smallest > self.merged).then(|| {
            self.merged = smallest;
            Watermark(smallest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `A5` is a watermark 5 on channel A, `A|` its end; the answer is what comes out behind each.
    fn check(channels: usize, input: &str, expect: &str) {
        let mut valve = WatermarkValve::new(channels);
        let out: Vec<String> = input
            .split(' ')
            .map(|event| {
                let channel = (event.as_bytes()[0] - b'A') as usize;
                let merged = match &event[1..] {
                    "|" => valve.on_end(channel),
                    time => valve.on_watermark(channel, Watermark(time.parse().unwrap())),
                };
                merged.map_or("-".into(), |w| w.0.to_string())
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
        check(2, "A| B|", "- -");
    }
}
