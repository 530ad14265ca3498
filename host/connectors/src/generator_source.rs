//! The source `generator`: numbered records, each a pure function of the seed and its number, so that loss and doubling can be counted.
//!
//! Record n has the key `key-` and twelve digits, uniform over `keys`, and the value n in twenty digits padded with `x`.
//! Split r of s holds the numbers n with n mod s = r, so that a source without end can be split too; a reader takes a stretch
//! of each of its splits in turn. A split's position is the number it gives next.

use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::task::{Context, Poll};
use weir_engine::source::{LagUnit, SourceOrder, SplitLag, SplitProgress};
use weir_engine::{
    BatchBuilder, EngineError, ErrorKind, ReadStatus, ReaderContext, Source, SourceCapabilities, SourceReader, SplitBatch, SplitState,
};

/// Bytes of values and keys after which a poll returns.
const POLL_BYTES: usize = 256 * 1024;
/// Digits of a value's number.
const NUMBER_DIGITS: usize = 20;
/// The longest value.
const PAYLOAD_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// As many keys as twelve digits tell apart.
const KEYS_MAX: u64 = 1_000_000_000_000;

/// What there is to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    count: Option<u64>,
    keys: u64,
    payload_bytes: usize,
    seed: u64,
}

/// Generates records.
pub(crate) struct GeneratorSource {
    plan: Plan,
}

impl GeneratorSource {
    /// Reads `count`, `keys`, `payload-bytes` and `seed`.
    pub(crate) fn new(settings: &Map<String, Value>) -> Result<(Self, Map<String, Value>), SettingsError> {
        let mut settings = Settings::of_source("generator", SETTINGS, settings);
        let count = settings.optional_whole("count")?;
        let keys = settings.whole("keys")?;
        let payload_bytes = settings.whole("payload-bytes")? as usize;
        let seed = settings.whole("seed")?;
        Ok((Self { plan: Plan { count, keys, payload_bytes, seed } }, settings.finish()?))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SplitSpec {
    residue: u64,
    stride: u64,
}

/// The settings of the source `generator`.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new("count", Kind::Whole { least: 0, most: u64::MAX }, Fallback::Found("without end"), "How many records there are."),
    Setting::new("keys", Kind::Whole { least: 1, most: KEYS_MAX }, Fallback::Value("100000"), "How many keys they have."),
    Setting::new(
        "payload-bytes",
        Kind::Whole { least: NUMBER_DIGITS as u64, most: PAYLOAD_BYTES_MAX },
        Fallback::Value("64"),
        "How long a value is.",
    ),
    Setting::new("seed", Kind::Whole { least: 0, most: u64::MAX }, Fallback::Value("1"), "Another seed, other records."),
];

/// What the source `generator` can do.
pub(crate) const CAPABILITIES: SourceCapabilities =
    SourceCapabilities { single_reader: None, replayable: true, bounded: true, key_setting: false, timestamp_setting: false };

impl Source for GeneratorSource {
    fn connector(&self) -> &'static str {
        "generator"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities { bounded: self.plan.count.is_some(), ..CAPABILITIES }
    }

    fn identity(&self) -> Value {
        let Plan { count, keys, payload_bytes, seed } = &self.plan;
        json!({ "connector": "generator", "count": count, "keys": keys, "payload-bytes": payload_bytes, "seed": seed })
    }

    fn discover(&self, parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        let stride = u64::from(parallelism.max(1));
        let spec = |residue| serde_json::to_value(SplitSpec { residue, stride }).expect("numbers become JSON");
        let split = |residue| SplitState::unread(format!("{residue}/{stride}"), spec(residue));
        ready(Ok((0..stride).map(split).collect())).boxed()
    }

    fn order(&self, parallelism: u32) -> SourceOrder {
        match parallelism {
            0 | 1 => SourceOrder::Whole,
            _ => SourceOrder::None("its numbers are dealt out to subtasks that run side by side".into()),
        }
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        let verified = splits.iter().try_for_each(|split| Stretch::of(split.clone(), &self.plan).map(drop));
        ready(verified.map(|()| Vec::new())).boxed()
    }

    fn reader(&self, _context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        let stretches = splits.into_iter().map(|split| Stretch::of(split, &self.plan)).collect::<Result<_, _>>()?;
        Ok(Box::new(GeneratorReader { numbers: NumberText::new(self.plan.payload_bytes), plan: self.plan.clone(), stretches, turn: 0 }))
    }
}

/// The numbers of one split that are still to come.
struct Stretch {
    split: SplitState,
    stride: u64,
    /// `None`: finished.
    next: Option<u64>,
}

impl Stretch {
    fn of(split: SplitState, plan: &Plan) -> Result<Self, EngineError> {
        let broken = |why: String| EngineError::new(ErrorKind::Corrupt, format!("read the generator's split {:?}: {why}", split.id));
        let spec = SplitSpec::deserialize(&split.spec).map_err(|e| broken(e.to_string()))?;
        if spec.residue >= spec.stride {
            return Err(broken(format!("{} of {} is none of its splits", spec.residue, spec.stride)));
        }
        let next = match &split.progress {
            SplitProgress::Unread => Some(spec.residue),
            SplitProgress::At(position) => match position.as_u64().filter(|next| next % spec.stride == spec.residue) {
                Some(next) => Some(next),
                None => return Err(broken(format!("the position {position} does not lie in it"))),
            },
            SplitProgress::Finished => None,
        };
        Ok(Self { stride: spec.stride, next: next.filter(|&n| plan.count.is_none_or(|count| n < count)), split })
    }

    /// How many numbers are still to come; `None`: they have no end.
    fn left(&self, plan: &Plan) -> Option<u64> {
        let Some(next) = self.next else { return Some(0) };
        Some((plan.count? - next).div_ceil(self.stride))
    }

    fn state(&self) -> SplitState {
        let progress = match self.next {
            None => SplitProgress::Finished,
            Some(_) if self.split.progress == SplitProgress::Unread && self.next == self.split.spec["residue"].as_u64() => {
                SplitProgress::Unread
            }
            Some(next) => SplitProgress::At(next.into()),
        };
        SplitState { progress, ..self.split.clone() }
    }
}

struct GeneratorReader {
    plan: Plan,
    stretches: Vec<Stretch>,
    /// The stretch that gives records next.
    turn: usize,
    numbers: NumberText,
}

impl SourceReader for GeneratorReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        let count = self.stretches.len();
        let Some(turn) = (0..count).map(|step| (self.turn + step) % count).find(|&turn| self.stretches[turn].next.is_some()) else {
            // Of a source without an end one that has no splits waits, as others of it may have some.
            return if self.plan.count.is_some() { Poll::Ready(Ok(ReadStatus::End)) } else { Poll::Pending };
        };
        let records = max_records.min((POLL_BYTES / (KEY_BYTES + self.plan.payload_bytes)).max(1));
        let stretch = &mut self.stretches[turn];
        if let Some(first) = stretch.next {
            stretch.next = generate(&self.plan, &mut self.numbers, first, stretch.stride, records, out.of(turn));
        }
        self.turn = turn + 1;
        Poll::Ready(Ok(if self.stretches.iter().all(|stretch| stretch.next.is_none()) { ReadStatus::End } else { ReadStatus::More }))
    }

    fn splits(&self) -> Vec<SplitState> {
        self.stretches.iter().map(Stretch::state).collect()
    }

    fn is_finished(&self, split: usize) -> bool {
        self.stretches.get(split).is_none_or(|stretch| stretch.next.is_none())
    }

    /// Without a count there is no end that it could be behind.
    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        for stretch in &self.stretches {
            each(&stretch.split.id, stretch.left(&self.plan).map(|amount| SplitLag { amount, unit: LagUnit::Records }));
        }
    }
}

/// Appends up to `records` records from number `first` on; gives the number that follows them, if one does.
fn generate(plan: &Plan, numbers: &mut NumberText, first: u64, stride: u64, records: usize, out: &mut BatchBuilder) -> Option<u64> {
    let end = plan.count.unwrap_or(u64::MAX);
    let mut number = first;
    for _ in 0..records {
        let key = key_text(key_index(plan, number));
        let value = numbers.text(number);
        out.push_with(|keys| keys.extend_from_slice(&key), |values| values.extend_from_slice(value), None);
        number = number.checked_add(stride).filter(|&next| next < end)?;
    }
    Some(number)
}

const KEY_BYTES: usize = 16;

/// Uniform over `0..keys`: the finaliser of SplitMix64, then the high half of a product.
#[inline]
fn key_index(plan: &Plan, number: u64) -> u64 {
    let mut mixed = number.wrapping_add(plan.seed.wrapping_mul(0xd134_2543_de82_ef95)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    ((u128::from(mixed) * u128::from(plan.keys)) >> 64) as u64
}

#[inline]
fn key_text(index: u64) -> [u8; KEY_BYTES] {
    let mut key = *b"key-000000000000";
    if index >= 100_000_000 {
        key[4..8].copy_from_slice(&eight_digits(index / 100_000_000)[4..]);
    }
    key[8..].copy_from_slice(&eight_digits(index % 100_000_000));
    key
}

/// A value's text, which changes only in its last digits from one number to the next.
struct NumberText {
    text: Vec<u8>,
    /// The number without its last eight digits, as it stands in the text.
    high: u64,
}

impl NumberText {
    fn new(payload_bytes: usize) -> Self {
        let mut text = vec![b'x'; payload_bytes];
        text[..NUMBER_DIGITS].fill(b'0');
        Self { text, high: 0 }
    }

    #[inline]
    fn text(&mut self, number: u64) -> &[u8] {
        let (high, low) = (number / 100_000_000, number % 100_000_000);
        if high != self.high {
            self.high = high;
            self.text[..4].copy_from_slice(&eight_digits(high / 100_000_000)[4..]);
            self.text[4..12].copy_from_slice(&eight_digits(high % 100_000_000));
        }
        self.text[12..NUMBER_DIGITS].copy_from_slice(&eight_digits(low));
        &self.text
    }
}

/// Eight decimal digits of a number below 10^8, all at once: halves, then quarters, then digits lie side by side in one word
/// and are divided together by multiplication.
#[inline]
fn eight_digits(number: u64) -> [u8; 8] {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | ((twos - 10 * tens) << 8);
    (ones | 0x3030_3030_3030_3030).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use weir_engine::source::conformance::{Hesitant, SourceNow, lags_of, read, read_all, reader_context, source_suite};

    fn generator(settings: Value) -> GeneratorSource {
        GeneratorSource::new(settings.as_object().unwrap()).unwrap().0
    }

    #[test]
    fn it_passes_the_source_suite() {
        source_suite(&generator(json!({ "count": 2500, "keys": 7 })));
        source_suite(&generator(json!({ "count": 0 })));
        source_suite(&generator(json!({ "count": 1 })));
    }

    #[test]
    fn a_source_whose_readers_wait_in_between_passes_the_source_suite() {
        source_suite(&Hesitant(generator(json!({ "count": 2500, "keys": 7 }))));
    }

    #[test]
    fn eight_digits_are_those_of_the_number() {
        for number in (0..100_000_000).step_by(9973).chain([9, 10, 99, 100, 9999, 10_000, 99_999_999]) {
            assert_eq!(std::str::from_utf8(&eight_digits(number)).unwrap(), format!("{number:08}"));
        }
    }

    #[test]
    fn values_are_numbers_padded_with_x_and_keys_have_sixteen_bytes() {
        let source = generator(json!({ "count": 3, "keys": 1, "payload-bytes": 22 }));
        let records = read_all(&source, source.discover_now(1).unwrap(), 1).unwrap();
        let expect = |n: u64| (Some(b"key-000000000000".to_vec()), format!("{n:020}xx").into_bytes(), i64::MIN);
        assert_eq!(records, [expect(0), expect(1), expect(2)]);
    }

    #[test]
    fn large_numbers_and_keys_keep_all_their_digits() {
        let mut numbers = NumberText::new(20);
        for number in [0, 99_999_999, 100_000_000, 12_345_678_901_234_567_890, u64::MAX, 7] {
            assert_eq!(std::str::from_utf8(numbers.text(number)).unwrap(), format!("{number:020}"));
        }
        assert_eq!(&key_text(999_999_999_999), b"key-999999999999");
        assert_eq!(&key_text(123_456_789), b"key-000123456789");
    }

    #[test]
    fn keys_are_uniform_and_depend_on_the_seed() {
        let counts = |seed: u64| {
            let plan = Plan { count: None, keys: 10, payload_bytes: 20, seed };
            let mut counts = HashMap::<u64, u32>::new();
            (0..100_000).for_each(|n| *counts.entry(key_index(&plan, n)).or_default() += 1);
            counts
        };
        assert!((0..10).all(|key| (9_500..10_500).contains(&counts(1)[&key])), "{:?}", counts(1));
        assert_ne!(counts(1), counts(2));
    }

    #[test]
    fn without_a_count_every_split_keeps_its_turn() {
        let source = generator(json!({}));
        let mut reader = source.reader(&reader_context(0, 1), source.discover_now(3).unwrap()).unwrap();
        let (records, status) = read(&mut *reader, 30, 10).unwrap();
        let number = |value: &[u8]| std::str::from_utf8(&value[..20]).unwrap().parse::<u64>().unwrap();
        let mut numbers: Vec<u64> = records.iter().map(|record| number(&record.1)).collect();
        numbers.sort_unstable();
        assert_eq!((numbers, status), ((0..30).collect(), ReadStatus::More));
    }

    #[test]
    fn a_split_lags_by_the_numbers_that_are_still_to_come_where_they_have_an_end() {
        let lags = |settings: Value, read_first: usize| {
            let source = generator(settings);
            let mut reader = source.reader(&reader_context(0, 1), source.discover_now(3).unwrap()).unwrap();
            read(&mut *reader, read_first, 4).unwrap();
            lags_of(&*reader).into_iter().map(|lag| lag.map(|lag| lag.amount)).collect::<Vec<_>>()
        };
        assert_eq!(lags(json!({ "count": 11 }), 0), [Some(4), Some(4), Some(3)]);
        assert_eq!(lags(json!({ "count": 11 }), 4), [Some(0), Some(4), Some(3)]);
        assert_eq!(lags(json!({ "count": 11 }), 10), [Some(0), Some(0), Some(1)]);
        assert_eq!(lags(json!({ "count": 2 }), 0), [Some(1), Some(1), Some(0)]);
        assert_eq!(lags(json!({}), 4), [None, None, None]);
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let refused = |settings: Value| GeneratorSource::new(settings.as_object().unwrap()).err().unwrap().field.unwrap();
        assert_eq!(refused(json!({ "payload-bytes": 19 })), "payload-bytes");
        assert_eq!(refused(json!({ "keys": 0 })), "keys");
        assert_eq!(refused(json!({ "count": -1 })), "count");
    }

    #[test]
    fn a_position_outside_its_split_is_corrupt() {
        let source = generator(json!({}));
        for (spec, position) in [(json!({ "residue": 1, "stride": 2 }), json!(4)), (json!({ "residue": 0, "stride": 0 }), json!(0))] {
            let split = SplitState { progress: SplitProgress::At(position), ..SplitState::unread("x".into(), spec) };
            assert_eq!(source.verify_now(&[split]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}
