use super::plan::{Happening, Place};
use super::*;
use serde_json::json;
use std::collections::HashMap;
use weir_engine::ErrorKind;
use weir_engine::SplitProgress;
use weir_engine::source::conformance::{Hesitant, SourceNow, lags_of, read, read_all, reader_context, source_suite};

fn nexmark(settings: Value) -> NexmarkSource {
    NexmarkSource::new(settings.as_object().unwrap()).unwrap().0
}

/// An event's tag, time and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    tag: u8,
    time: i64,
    numbers: Vec<u64>,
    texts: Vec<String>,
}

/// Takes an event's bytes apart, without the code that put them together.
fn seen(bytes: &[u8]) -> Seen {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let count = [1, 6, 3][bytes[0] as usize];
    let mut rest = &bytes[9 + 8 * count..];
    let mut texts = Vec::new();
    while let [low, high, behind @ ..] = rest {
        let (text, next) = behind.split_at(u16::from_le_bytes([*low, *high]) as usize);
        texts.push(String::from_utf8(text.to_vec()).unwrap());
        rest = next;
    }
    assert_eq!((rest.len(), texts.len()), (0, [6, 3, 3][bytes[0] as usize]), "{bytes:?}");
    Seen { tag: bytes[0], time: number(1) as i64, numbers: (0..count).map(|n| number(9 + 8 * n)).collect(), texts }
}

/// All events, read by one reader of `splits` splits; each record's time is that of its event, and it has no key.
fn events(settings: Value, splits: u32) -> Vec<Seen> {
    let source = nexmark(settings);
    let records = read_all(&source, source.discover_now(splits).unwrap(), 1).unwrap();
    let event = |(key, value, timestamp): (Option<Vec<u8>>, Vec<u8>, i64)| {
        let event = seen(&value);
        assert_eq!((key, timestamp), (None, event.time));
        event
    };
    records.into_iter().map(event).collect()
}

fn of(tag: u8, events: &[Seen]) -> impl Iterator<Item = &Seen> {
    events.iter().filter(move |event| event.tag == tag)
}

#[test]
fn it_passes_the_source_suite() {
    source_suite(&nexmark(json!({ "count": 2500 })));
    source_suite(&nexmark(json!({ "count": 2500, "people": 3, "auctions": 2, "bids": 4 })));
    source_suite(&nexmark(json!({ "count": 0 })));
    source_suite(&nexmark(json!({ "count": 1 })));
    source_suite(&Hesitant(nexmark(json!({ "count": 2500 }))));
}

#[test]
fn any_number_of_splits_gives_the_same_events_each_in_order() {
    let one = events(json!({ "count": 3333 }), 1);
    assert!(one.is_sorted_by_key(|event| event.time));
    for splits in [2, 3, 7] {
        let source = nexmark(json!({ "count": 3333 }));
        let mut all = Vec::new();
        for split in source.discover_now(splits).unwrap() {
            let records: Vec<_> = read_all(&source, vec![split], 1).unwrap().into_iter().map(|record| seen(&record.1)).collect();
            assert!(records.is_sorted_by_key(|event| event.time));
            all.extend(records);
        }
        let sorted = |mut events: Vec<Seen>| {
            events.sort_by_key(|event| (event.time, event.tag, event.numbers.clone()));
            events
        };
        assert_eq!(sorted(all), sorted(one.clone()));
    }
}

#[test]
fn of_fifty_events_one_is_a_person_three_are_auctions_and_the_others_bids() {
    let events = events(json!({ "count": 50_000 }), 1);
    let counts = [0, 1, 2].map(|tag| of(tag, &events).count());
    assert_eq!(counts, [1000, 3000, 46_000]);
    assert_eq!(of(0, &events).map(|event| event.numbers[0]).collect::<Vec<_>>(), (1000..2000).collect::<Vec<_>>());
    assert_eq!(of(1, &events).map(|event| event.numbers[0]).collect::<Vec<_>>(), (1000..4000).collect::<Vec<_>>());
    // 10,000 events a second.
    let base = "2015-07-15T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
    assert_eq!((events[0].time, events[10].time, events[49_999].time), (base, base + 1, base + 4999));
}

#[test]
fn the_hot_are_as_hot_and_events_as_large_as_the_benchmark_says() {
    let events = events(json!({ "count": 200_000, "in-flight-auctions": 100, "seed": 5 }), 1);
    let hot_auctions = of(2, &events).filter(|bid| bid.numbers[0] % 100 == 0).count() as f64 / 184_000.0;
    // Half of the bids and one in 111 of the others, more or less.
    assert!((0.48..0.53).contains(&hot_auctions), "{hot_auctions}");
    let hot_bidders = of(2, &events).filter(|bid| bid.numbers[1] % 100 == 1).count() as f64 / 184_000.0;
    assert!((0.74..0.77).contains(&hot_bidders), "{hot_bidders}");
    let hot_sellers = of(1, &events).filter(|auction| auction.numbers[4] % 100 == 0).count() as f64 / 12_000.0;
    assert!((0.73..0.78).contains(&hot_sellers), "{hot_sellers}");
    // As the benchmark counts them: numbers and time as eight bytes each, and of a bid neither channel nor address.
    let size = |event: &Seen, texts: &[String]| event.numbers.len() + 1 + texts.iter().map(String::len).sum::<usize>() / 8;
    for (tag, skipped, most) in [(0, 0, 200), (1, 0, 500), (2, 2, 100)] {
        let sizes: usize = of(tag, &events).map(|event| 8 * size(event, &event.texts[skipped..])).sum();
        let average = sizes / of(tag, &events).count();
        assert!((most * 9 / 10..=most * 11 / 10).contains(&average), "{tag}: {average}");
    }
    let channels = of(2, &events).fold(HashMap::<&str, u32>::new(), |mut channels, bid| {
        *channels.entry(&bid.texts[0]).or_default() += 1;
        channels
    });
    assert!(["Google", "Facebook", "Baidu", "Apple"].iter().all(|hot| (22_000..24_000).contains(&channels[hot])));
    assert!((9_990..=10_004).contains(&channels.len()), "{}", channels.len());
}

#[test]
fn bids_are_for_auctions_in_flight_and_auctions_end_when_those_have_begun() {
    let events = events(json!({ "count": 100_000, "in-flight-auctions": 30 }), 1);
    let mut newest = 0;
    for event in &events {
        match event.tag {
            1 => newest = event.numbers[0],
            2 => assert!((1000.max(newest.max(1000) / 100 * 100).min(newest - 30)..=newest + 10).contains(&event.numbers[0])),
            _ => {}
        }
    }
    let lengths = of(1, &events).map(|auction| auction.numbers[3] as i64 - auction.time);
    // Thirty auctions take 500 events, and those 50 ms.
    let (shortest, longest) = lengths.fold((i64::MAX, 0), |(least, most), length| (least.min(length), most.max(length)));
    assert!((1, 100) == (shortest, longest), "{shortest} {longest}");
}

#[test]
fn without_a_count_every_split_keeps_its_turn_and_none_lags() {
    let source = nexmark(json!({}));
    let mut reader = source.reader(&reader_context(0, 1), source.discover_now(3).unwrap()).unwrap();
    let (records, status) = read(&mut *reader, 150, 50).unwrap();
    let mut times: Vec<i64> = records.iter().map(|record| record.2).collect();
    times.sort_unstable();
    assert_eq!((times.len(), times[149] - times[0], status), (150, 14, ReadStatus::More));
    assert_eq!(lags_of(&*reader), [None, None, None]);
}

#[test]
fn a_split_lags_by_the_events_that_are_still_to_come_where_they_have_an_end() {
    let lags = |count: u64, read_first: usize| {
        let source = nexmark(json!({ "count": count }));
        let mut reader = source.reader(&reader_context(0, 1), source.discover_now(3).unwrap()).unwrap();
        read(&mut *reader, read_first, 20).unwrap();
        lags_of(&*reader).into_iter().map(|lag| lag.map(|lag| lag.amount)).collect::<Vec<_>>()
    };
    assert_eq!(lags(260, 0), [Some(100), Some(100), Some(60)]);
    assert_eq!(lags(260, 20), [Some(80), Some(100), Some(60)]);
    assert_eq!(lags(70, 0), [Some(50), Some(20), Some(0)]);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let refused = |settings: Value| NexmarkSource::new(settings.as_object().unwrap()).err().unwrap();
    assert_eq!(refused(json!({ "bids": 0 })).field.as_deref(), Some("bids"));
    assert_eq!(refused(json!({ "event-rate": 0 })).field.as_deref(), Some("event-rate"));
    let error = refused(json!({ "base-time": "yesterday" }));
    assert_eq!((error.field.as_deref(), error.hint.is_some()), (Some("base-time"), true), "{error}");
}

#[test]
fn a_position_outside_its_split_is_corrupt() {
    let source = nexmark(json!({}));
    let cases = [(json!({ "residue": 1, "stride": 2 }), json!(40)), (json!({ "residue": 0, "stride": 0 }), json!(0))];
    for (spec, position) in cases.into_iter().chain([(json!({ "residue": 0, "stride": 1 }), json!(u64::MAX))]) {
        let split = SplitState { progress: SplitProgress::At(position), ..SplitState::unread("x".into(), spec) };
        assert_eq!(source.verify_now(&[split]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

/// The first five events of a seed, which `plugins/nexmark` decodes too: a change of a format or of the events is seen on both sides.
const GOLDEN: &str = include_str!("../../../../tests/golden/nexmark-events-v1.txt");

#[test]
fn the_first_events_of_a_seed_are_the_golden_ones() {
    let source = nexmark(json!({ "count": 5, "seed": 42 }));
    let records = read_all(&source, source.discover_now(1).unwrap(), 1).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: Vec<String> = records.iter().map(|record| hex(&record.1)).collect();
    assert_eq!(lines, GOLDEN.lines().collect::<Vec<_>>(), "{}", lines.join("\n"));
}

#[test]
fn a_place_knows_what_happens_there_and_who_came_before() {
    let plan = nexmark(json!({})).plan;
    let check = |number: u64, happening: Happening, person: u64, auction: u64| {
        let place = Place::of(number, &plan);
        assert_eq!((place.number(&plan), place.happening(&plan)), (number, happening));
        assert_eq!((place.newest_person(&plan), place.newest_auction(&plan)), (person, auction), "{number}");
    };
    check(0, Happening::Person, 0, 0);
    check(1, Happening::Auction, 0, 0);
    check(3, Happening::Auction, 0, 2);
    check(4, Happening::Bid, 0, 2);
    check(50, Happening::Person, 1, 2);
    check(51, Happening::Auction, 1, 3);
    check(99, Happening::Bid, 1, 5);
}
