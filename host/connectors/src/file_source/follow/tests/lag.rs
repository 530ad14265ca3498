//! How far followed files lag behind what there is of them.

use super::*;

/// Bytes by which each of its files lags.
fn lags(reader: &dyn SourceReader) -> Vec<u64> {
    lags_of(reader).into_iter().map(|lag| lag.unwrap().amount).collect()
}

#[test]
fn a_followed_file_lags_by_what_has_grown_and_by_a_last_line_that_waits_for_its_end() {
    let logs = Logs::of_lines();
    logs.append("a.log", "one\ntwo\nthr");
    logs.append("b.log", "1\n");
    let (mut reader, _) = logs.start(&[]);
    assert_eq!(lags(&*reader), [11, 2]);
    assert_eq!(come(&mut *reader), ["one", "two", "1"]);
    assert_eq!(lags(&*reader), [3, 0], "it waits for its end and is no row yet");
    logs.append("a.log", "ee\n");
    logs.append("b.log", "22\n");
    assert_eq!(lags(&*reader), [6, 3], "what has come is known before it is read");
    let restored = logs.source().reader(&reader_context(0, 1), stored(&*reader)).unwrap();
    assert_eq!(lags(&*restored), [3, 0], "as it was when it was last looked at");
    assert_eq!(come(&mut *reader), ["three", "22"]);
    assert_eq!(lags(&*reader), [0, 0]);
}

#[test]
fn a_file_that_is_over_lags_by_nothing() {
    let logs = Logs::of_lines();
    logs.append("a.log", "one\ntwo\n");
    let (mut reader, _) = logs.start(&[]);
    assert_eq!(come(&mut *reader), ["one", "two"]);
    logs.rewrite("a.log", "x");
    assert_eq!(lags(&*reader), [0], "what has been read does not count, however short it is by now");
    assert_eq!(come(&mut *reader), [""; 0]);
    assert_eq!(lags(&*reader), [0]);
}

#[test]
fn of_a_file_of_which_nobody_could_look_how_long_it_is_a_restored_reader_does_not_know_how_far_it_lags() {
    let logs = Logs::of_lines();
    logs.append("a.log", "one\ntwo\n");
    let (reader, _) = logs.start(&[]);
    let mut splits = stored(&*reader);
    splits[0].spec["seen"] = u64::MAX.into();
    let mut restored = logs.source().reader(&reader_context(0, 1), splits).unwrap();
    assert_eq!(lags_of(&*restored), [None]);
    assert_eq!(come(&mut *restored), ["one", "two"]);
    assert_eq!(lags(&*restored), [0]);
}
