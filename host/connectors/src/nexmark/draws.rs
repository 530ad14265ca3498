//! Chance of an event: a stream of draws that depends on the seed and the event's number alone, so that no event needs the one before it.
//!
//! The numbers are those of SplitMix64. Texts take eight letters of a draw, and prices come of a table instead of `powf`, whose last bit is another on every platform.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The draws of one event.
pub(super) struct Draws(u64);

impl Draws {
    /// The draws for `number` of a job with this seed.
    #[inline]
    pub(super) fn of(seed: u64, number: u64) -> Self {
        Self(mixed(number.wrapping_mul(GOLDEN) ^ mixed(seed.wrapping_add(GOLDEN))))
    }

    #[inline]
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mixed(self.0)
    }

    /// Uniform over `0..end`: the high half of a product.
    #[inline]
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// True but once in `ratio` draws: what the benchmark calls hot.
    #[inline]
    pub(super) fn is_hot(&mut self, ratio: u64) -> bool {
        self.below(ratio) > 0
    }

    /// One of a few words.
    pub(super) fn word<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }

    /// Adds `length` letters to `out`.
    #[inline]
    pub(super) fn letters(&mut self, length: usize, out: &mut Vec<u8>) {
        let end = out.len() + length;
        while out.len() < end {
            out.extend_from_slice(&eight_letters(self.next()));
        }
        out.truncate(end);
    }

    /// Adds the benchmark's "string": 3 to `most - 1` signs, one of 13 of them a `gap` and the others letters.
    pub(super) fn text(&mut self, most: u64, gap: u8, out: &mut Vec<u8>) {
        for _ in 0..3 + self.below(most - 3) {
            let sign = match self.below(13) {
                0 => gap,
                _ => b'a' + self.below(26) as u8,
            };
            out.push(sign);
        }
    }

    /// A price in cents: 100 times ten to a power that is uniform over 0 to 6.
    #[inline]
    pub(super) fn price(&mut self) -> u64 {
        let draw = self.next();
        let step = (draw >> 52) as usize;
        let part = (draw << 12 >> 32) as f64 * (1.0 / 4_294_967_296.0);
        (PRICES[step] + (PRICES[step + 1] - PRICES[step]) * part + 0.5) as u64
    }
}

/// The finaliser of SplitMix64.
#[inline]
fn mixed(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A letter of each byte, all at once: byte · 26 / 256, in lanes of 16 bits.
#[inline]
fn eight_letters(draw: u64) -> [u8; 8] {
    const LANES: u64 = 0x00ff_00ff_00ff_00ff;
    let even = (((draw & LANES) * 26) >> 8) & LANES;
    let odd = (((draw >> 8) & LANES) * 26) & !LANES;
    ((even | odd) + 0x6161_6161_6161_6161).to_le_bytes()
}

const STEPS: usize = 4096;

/// Between two of these a price is taken to lie on a line: it is wrong by a millionth then.
static PRICES: [f64; STEPS + 1] = prices();

/// Every step is ten to the power of 6 / 4096 times the one before it; products alone, which are the same everywhere.
const fn prices() -> [f64; STEPS + 1] {
    let mut prices = [100.0; STEPS + 1];
    let mut step = 0;
    while step < STEPS {
        prices[step + 1] = prices[step] * RATIO;
        step += 1;
    }
    prices
}

const RATIO: f64 = 1.003_378_622_102_704_8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_letters_and_about_evenly_so() {
        let mut out = Vec::new();
        Draws::of(1, 1).letters(26_000, &mut out);
        assert_eq!(out.len(), 26_000);
        for letter in b'a'..=b'z' {
            let count = out.iter().filter(|&&sign| sign == letter).count();
            assert!((800..1200).contains(&count), "{} comes {count} times", letter as char);
        }
    }

    #[test]
    fn prices_lie_evenly_over_six_powers_of_ten() {
        assert!((PRICES[STEPS] - 1e8).abs() < 1e-3, "{}", PRICES[STEPS]);
        let mut of_power = [0; 7];
        for number in 0..60_000 {
            let price = Draws::of(7, number).price();
            assert!((100..=100_000_000).contains(&price), "{price}");
            of_power[price.ilog10() as usize - 2] += 1;
        }
        assert!(of_power[..6].iter().all(|count| (9_500..10_500).contains(count)), "{of_power:?}");
    }

    #[test]
    fn a_text_has_letters_and_gaps_within_its_bounds() {
        for number in 0..1000 {
            let mut out = Vec::new();
            Draws::of(3, number).text(20, b'_', &mut out);
            assert!((3..20).contains(&out.len()), "{out:?}");
            assert!(out.iter().all(|sign| sign.is_ascii_lowercase() || *sign == b'_'), "{out:?}");
        }
    }

    #[test]
    fn draws_depend_on_seed_and_number() {
        let first = |seed, number| Draws::of(seed, number).below(1 << 60);
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 2));
        assert_ne!(first(1, 2), first(1, 3));
        assert_ne!(first(1, 2), first(2, 1));
    }
}
