//! The channels that bids come by, each with an address: four hot ones, and ten thousand others.
//!
//! They are made once, as the two texts that a bid's bytes have of them.

use super::draws::Draws;
use super::encoding::text;

const HOT: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const OTHERS: u64 = 10_000;
/// Set apart from the numbers of events, which are smaller.
const NUMBERS: u64 = 1 << 62;

/// All channels.
pub(super) struct Channels {
    data: Vec<u8>,
    /// Where each ends in the data; before the first stands 0.
    ends: Vec<u32>,
}

impl Channels {
    /// Those of a job with this seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut channels = Self { data: Vec::new(), ends: vec![0] };
        for (number, name) in HOT.iter().enumerate() {
            channels.push(name.as_bytes(), None, Draws::of(seed, NUMBERS + number as u64));
        }
        for number in 0..OTHERS as u32 {
            let mut draws = Draws::of(seed, NUMBERS + (1 << 32) + u64::from(number));
            // The benchmark's id of a channel: its number's bits in reverse, without the sign.
            let id = (number.reverse_bits() as i32).unsigned_abs();
            let id = (draws.below(10) > 0).then_some(id);
            channels.push(format!("channel-{number}").as_bytes(), id, draws);
        }
        channels
    }

    fn push(&mut self, name: &[u8], id: Option<u32>, mut draws: Draws) {
        text(&mut self.data, |out| out.extend_from_slice(name));
        text(&mut self.data, |out| {
            out.extend_from_slice(b"https://www.nexmark.com/");
            for _ in 0..3 {
                draws.text(5, b'_', out);
                out.push(b'/');
            }
            out.extend_from_slice(b"item.htm?query=1");
            if let Some(id) = id {
                out.extend_from_slice(format!("&channel_id={id}").as_bytes());
            }
        });
        self.ends.push(self.data.len() as u32);
    }

    /// Name and address of one by chance, half of the time a hot one, as they stand in a bid.
    #[inline]
    pub(super) fn one(&self, draws: &mut Draws) -> &[u8] {
        let hot = HOT.len() as u64;
        let channel = if draws.is_hot(2) { draws.below(hot) } else { hot + draws.below(OTHERS) } as usize;
        &self.data[self.ends[channel] as usize..self.ends[channel + 1] as usize]
    }
}
