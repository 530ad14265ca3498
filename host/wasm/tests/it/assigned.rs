//! Records that the engine has put into windows: a row for each window of a record, or none, and what becomes of a record that the guest fails on.

use crate::support::{Bench, NONE, Setup, quarantine, reports, windowed_puppet};
use weir_engine::element::{BatchBuilder, RecordBatch};
use weir_engine::state::{FiredWindow, FiredWindows, NO_BOUND, Window, WindowKind, WindowReason, WindowSettings, key_hash};
use weir_wasm::Limits;

/// The puppet's states, by number.
const COUNT: usize = 0;
const ITEMS: usize = 1;

fn bench(kind: WindowKind, setup: Setup) -> Bench {
    Bench::with_windows(windowed_puppet(), setup, Some(WindowSettings::new(kind))).unwrap()
}

const TUMBLING: WindowKind = WindowKind::Tumbling { size: 10, offset: 0 };
const HOPPING: WindowKind = WindowKind::Hopping { size: 10, every: 5, offset: 0 };
const SESSION: WindowKind = WindowKind::Session { gap: 10 };

/// Records with these keys, times and values.
fn records(records: &[(&str, i64, &str)]) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    records.iter().for_each(|(key, time, value)| builder.push(Some(key.as_bytes()), value.as_bytes(), (*time != NONE).then_some(*time)));
    builder.finish()
}

/// What is kept of a key in the windows with these starts: its count and its list.
fn kept(bench: &mut Bench, key: &str, starts: &[i64]) -> Vec<(u64, Vec<String>)> {
    let mut units = FiredWindows::default();
    for &start in starts {
        let unit = [&(start ^ i64::MIN).to_be_bytes(), key.as_bytes()].concat();
        let window = Window { start: NO_BOUND, end: NO_BOUND };
        units.push(&unit, key_hash(key.as_bytes()), FiredWindow { window, reason: WindowReason::OnTime, revision: 0, timestamp: 0 }, []);
    }
    bench.state.select(&units, 0..units.len()).unwrap();
    let of_unit = |unit| {
        let count = bench.state.copied_value(unit, COUNT).unwrap().map_or(0, |count| u64::from_le_bytes(count.try_into().unwrap()));
        let mut items = weir_engine::Column::new();
        bench.state.list_read(unit, ITEMS, 0, usize::MAX, &mut items).unwrap();
        (count, items.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect())
    };
    (0..units.len()).map(of_unit).collect()
}

fn counts(bench: &mut Bench, key: &str, starts: &[i64]) -> Vec<u64> {
    kept(bench, key, starts).into_iter().map(|(count, _)| count).collect()
}

#[test]
fn a_record_is_given_once_for_each_of_its_windows_with_their_bounds_and_its_headers() {
    let mut bench = bench(HOPPING, Setup::default());
    let batch = records(&[("a", 7, "x"), ("b", 7, "bounds"), ("a", 12, "x"), ("a", 3, "x"), ("a", 7, "bounds")]);
    assert!(bench.run(&batch, true).unwrap().is_empty());
    let bounds = |start: i64| vec![format!("{start}..{}", start + 10)];
    let expect = [(1, vec![]), (2, bounds(0)), (2, bounds(5)), (1, vec![])];
    assert_eq!(kept(&mut bench, "a", &[-5, 0, 5, 10]), expect);
    assert_eq!(kept(&mut bench, "b", &[0, 5]), [(0, bounds(0)), (0, bounds(5))]);
    assert_eq!(bench.metrics.own.get()["calls"], 1);
}

#[test]
fn windows_that_are_not_known_yet_are_not_told() {
    for kind in [SESSION, WindowKind::Global, WindowKind::Count { records: 9 }] {
        let mut bench = bench(kind, Setup::default());
        bench.run(&records(&[("a", 7, "bounds")]), true).unwrap();
        let start = if kind == SESSION {
            7
        } else if kind == WindowKind::Global {
            NO_BOUND
        } else {
            0
        };
        assert_eq!(kept(&mut bench, "a", &[start]), [(0, vec!["none".to_owned()])], "{kind:?}");
    }
}

#[test]
fn records_that_come_too_late_are_not_given_and_where_there_are_no_others_nobody_is_called() {
    let mut bench = bench(TUMBLING, Setup::default());
    bench.watermark = 25;
    bench.run(&records(&[("a", 3, "trap"), ("b", 19, "trap")]), true).unwrap();
    assert!(!bench.metrics.own.get().contains_key("calls"));
    bench.run(&records(&[("a", 3, "trap"), ("a", 21, "x"), ("b", 19, "trap"), ("a", 30, "x"), ("a", 22, "bounds")]), true).unwrap();
    assert_eq!(kept(&mut bench, "a", &[0, 20, 30]), [(0, vec![]), (1, vec!["20..30".into()]), (1, vec![])]);
    let error = bench.run(&records(&[("a", 3, "trap"), ("a", 21, "x"), ("b", 21, "fail bad")]), true).unwrap_err().to_string();
    assert!(error.contains("at key \"b\": the plugin failed on record 2 of the batch: bad"), "{error}");
}

#[test]
fn what_a_call_may_have_counts_rows_and_all_rows_of_a_record_are_in_one() {
    let hopping = WindowKind::Hopping { size: 1_000, every: 2, offset: 0 };
    let batch = records(&vec![("a", 1_000, "x"); 9]);
    for (limits, calls) in [(Limits::default(), 5), (Limits { batch_bytes: Some(17_000), ..Limits::default() }, 9)] {
        let mut bench = bench(hopping, Setup { limits, ..Setup::default() });
        bench.run(&batch, true).unwrap();
        assert_eq!(counts(&mut bench, "a", &[0, 2, 500, 1_000]), [0, 9, 9, 9]);
        assert_eq!(bench.metrics.own.get()["calls"], calls);
    }
    let mut bench = bench(hopping, Setup { limits: Limits { batch_bytes: Some(3_000), ..Limits::default() }, ..Setup::default() });
    bench.run(&records(&[("a", 1_000, "x")]), true).unwrap();
    let error = bench.run(&records(&[("a", 1_000, "x")]), true).unwrap_err().to_string();
    assert!(error.contains("the state of key \"a\" in the 500 windows of one record has 30"), "{error}");
}

#[test]
fn a_fault_of_a_row_is_its_records() {
    let mut bench = bench(HOPPING, Setup::default());
    let batch = records(&[("a", 7, "x"), ("a", 8, "x"), ("b", 9, "fail no such row"), ("a", 7, "x")]);
    let error = bench.run(&batch, true).unwrap_err().to_string();
    let wanted = "operator \"op\" subtask 0 at key \"b\": the plugin failed on record 2 of the batch: no such row";
    assert!(error.starts_with(wanted), "{error}");
    assert_eq!(counts(&mut bench, "a", &[0, 5]), [0, 0]);
}

#[test]
fn a_poison_record_is_set_aside_from_all_its_windows_and_the_others_are_in_theirs() {
    for kind in [TUMBLING, HOPPING, SESSION, WindowKind::Global] {
        for poison in ["trap", "fail bad", "fail-batch bad", "fail-other bad", "emit x"] {
            for at in [0, 4, 9] {
                let mixed: Vec<_> = (0..10).map(|i| ("a", 3 * i as i64, if i == at { poison } else { "x" })).collect();
                let good: Vec<_> = mixed.iter().copied().filter(|record| record.2 == "x").collect();
                let mut wanted = bench(kind, Setup::default());
                wanted.run(&records(&good), true).unwrap();
                let mut bench = bench(kind, Setup { on_failure: quarantine(), ..Setup::default() });
                let outs = bench.run(&records(&mixed), true).unwrap();
                let starts = [NO_BOUND, -5, 0, 3, 5, 10, 15, 20, 25];
                assert_eq!(counts(&mut bench, "a", &starts), counts(&mut wanted, "a", &starts), "{kind:?}: {poison} at {at}");
                let reports = reports(&outs);
                assert_eq!(reports.iter().map(|report| &report["value"]).collect::<Vec<_>>(), [poison]);
                assert_eq!((outs.len(), bench.metrics.quarantined.get()), (1, 1));
            }
        }
    }
}

#[test]
fn windows_that_became_one_for_a_call_that_fails_are_two_again() {
    let mut bench = bench(SESSION, Setup { on_failure: quarantine(), ..Setup::default() });
    bench.run(&records(&[("a", 0, "x"), ("a", 0, "append 1"), ("a", 16, "x"), ("a", 16, "append 2")]), true).unwrap();
    let two = [(1, vec!["1".to_owned()]), (1, vec!["2".to_owned()])];
    let outs = bench.run(&records(&[("a", 8, "trap")]), true).unwrap();
    assert_eq!((reports(&outs).len(), kept(&mut bench, "a", &[0, 16])), (1, two.to_vec()));
    let outs = bench.run(&records(&[("a", 8, "x"), ("a", 9, "fail bad"), ("a", 9, "append 3")]), true).unwrap();
    let one = [(3, vec!["1".to_owned(), "2".into(), "3".into()]), (0, vec![])];
    assert_eq!((reports(&outs).len(), kept(&mut bench, "a", &[0, 16])), (1, one.to_vec()));
}

#[test]
fn a_record_that_can_be_put_into_no_window_fails_the_task_by_name_or_is_set_aside() {
    let batch = records(&[("a", 7, "x"), ("b", NONE, "x"), ("a", 8, "x"), ("c", NONE, "x")]);
    let error = bench(TUMBLING, Setup::default()).run(&batch, true).unwrap_err();
    let wanted = "operator \"op\" subtask 0 at key \"b\": the record cannot be put into a window: it has no timestamp, and its window goes by event time";
    assert!(error.to_string().starts_with(wanted), "{error}");
    assert!(error.hint().unwrap().contains("`on-failure = \"quarantine\"`"), "{error:?}");
    let mut kept = bench(TUMBLING, Setup { on_failure: quarantine(), ..Setup::default() });
    let outs = kept.run(&batch, true).unwrap();
    assert_eq!(counts(&mut kept, "a", &[0]), [2]);
    let reports = reports(&outs);
    assert_eq!(reports.iter().map(|report| &report["key"]).collect::<Vec<_>>(), ["b", "c"]);
    assert!(reports[0]["error"].as_str().unwrap().starts_with("the record cannot be put into a window: it has no timestamp"));
    assert_eq!(kept.metrics.plugin.limits.get(), [].into(), "no limit is passed");
    let mut on_probation = bench(TUMBLING, Setup { on_failure: quarantine(), ..Setup::default() });
    on_probation.set_probation();
    assert!(on_probation.run(&batch, true).is_err());
}

#[test]
fn a_key_with_too_many_windows_is_named() {
    let settings = WindowSettings { max_per_key: 3, ..WindowSettings::new(TUMBLING) };
    let mut bench = Bench::with_windows(windowed_puppet(), Setup::default(), Some(settings)).unwrap();
    let batch: Vec<_> = (0..5).map(|window| ("a", 10 * window, "x")).collect();
    let error = bench.run(&records(&batch), true).unwrap_err().to_string();
    assert!(error.contains("at key \"a\": the record cannot be put into a window: its key a has 3 open windows"), "{error}");
    assert_eq!(bench.metrics.plugin.limits.get(), [("windows-per-key".to_owned(), 1)].into());
}

#[test]
fn a_merge_that_fails_is_the_fault_of_the_record_that_it_is_for() {
    let mut bench = bench(SESSION, Setup { on_failure: quarantine(), ..Setup::default() });
    bench.run(&records(&[("a", 0, "put e=refuse"), ("a", 0, "x"), ("a", 16, "put e=y"), ("a", 16, "x")]), true).unwrap();
    let outs = bench.run(&records(&[("a", 17, "x"), ("a", 8, "x"), ("b", 8, "x")]), true).unwrap();
    let reports = reports(&outs);
    let [report] = &reports[..] else { panic!("one report: {reports:?}") };
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("merge state \"entries\" of plugin \"puppet\"") && error.contains("these two do not go together"), "{error}");
    assert_eq!((counts(&mut bench, "a", &[0, 16]), counts(&mut bench, "b", &[8])), (vec![1, 2], vec![1]));
}

#[test]
fn lists_of_a_window_are_read_while_they_are_lent() {
    let mut bench = bench(HOPPING, Setup::default());
    bench.run(&records(&[("a", 7, "append 1"), ("a", 12, "append 2")]), true).unwrap();
    // It emits what it has read, which it may not: the message says that it came so far.
    let error = bench.run(&records(&[("a", 7, "list 9")]), true).unwrap_err().to_string();
    assert!(error.contains("`process` of a windowed operator changes state and emits nothing"), "{error}");
    assert_eq!(kept(&mut bench, "a", &[5])[0].1, ["1", "2"]);
}
