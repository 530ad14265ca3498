use super::super::options::FileOptions;
use super::*;
use std::path::Path;

/// 2013-01-01T10:00:00Z.
const TEN: i64 = 1_357_034_400_000;

fn read(timestamp: Value) -> Result<Timestamps, SettingsError> {
    let settings = json!({ "path": "x", "format": "csv", "timestamp": timestamp });
    let options = FileOptions::read(settings.as_object().expect("an object"), Path::new("."))?.0;
    Ok(options.timestamp.expect("it is said"))
}

fn written(format: &str, zone: Option<&str>) -> Timestamps {
    let mut table = json!({ "field": "t", "format": format });
    if let Some(zone) = zone {
        table["zone"] = zone.into();
    }
    read(table).unwrap_or_else(|error| panic!("{format}: {error}"))
}

/// What each of these texts is.
#[track_caller]
fn check(format: &str, zone: Option<&str>, texts: &[(&str, Option<i64>)]) {
    let timestamps = written(format, zone);
    for (text, expect) in texts {
        assert_eq!(timestamps.parse(text.as_bytes()), *expect, "{format} {zone:?} {text:?}");
    }
}

#[test]
fn numbers_count_from_1970_in_their_unit_and_are_rounded_down() {
    check("unix-s", None, &[("1357034400", Some(TEN)), ("-1", Some(-1_000)), ("1357034400.2509", Some(TEN + 250)), ("-0.0001", Some(-1))]);
    check("unix-ms", None, &[("1357034400000", Some(TEN)), ("-1", Some(-1)), ("1357034400000.9", Some(TEN)), ("-0.5", Some(-1))]);
    check("unix-us", None, &[("1357034400000999", Some(TEN)), ("-1", Some(-1)), ("-1000", Some(-1)), ("-1001", Some(-2))]);
    check(
        "unix-ns",
        None,
        &[("1357034400000999999", Some(TEN)), ("-1", Some(-1)), ("0", Some(0)), ("1e6", Some(1)), ("-1e-400", Some(-1))],
    );
    check(
        "unix-s",
        None,
        &[("1.3570344e9", Some(TEN)), ("13570344E2", Some(TEN)), ("+5", Some(5_000)), ("007", Some(7_000)), ("0e9", Some(0))],
    );
}

#[test]
fn what_is_no_number_or_does_not_fit_is_refused() {
    for format in ["unix-s", "unix-ms", "unix-us", "unix-ns"] {
        let bad = [
            "",
            "-",
            "+",
            ".5",
            "5.",
            "1_000",
            " 1",
            "1 ",
            "0x1",
            "1e",
            "e1",
            "1e99999",
            "NaN",
            "true",
            "--1",
            "1.-5",
            "2013-01-01T10:00:00Z",
        ];
        check(format, None, &bad.map(|text| (text, None)));
    }
    check("unix-s", None, &[("9223372036854776", None), ("9223372036854775", Some(9_223_372_036_854_775_000)), ("1e30", None)]);
    check("unix-ms", None, &[("9223372036854775807", Some(i64::MAX)), ("9223372036854775808", None), ("-9223372036854775808", None)]);
    check("unix-ns", None, &[("99999999999999999999", Some(99_999_999_999_999)), (&"9".repeat(31), None)]);
    assert_eq!(written("unix-s", None).parse(b"\xff"), None);
    assert_eq!(Timestamps::of("t".into()).parse(b"-9223372036854775808"), None, "it stands for no time");
}

#[test]
fn a_number_is_its_exact_value_rounded_down() {
    let mut rng = fastrand::Rng::with_seed(7);
    for unit in Unit::ALL {
        let timestamps = written(unit.word(), None);
        let per_milli: i128 = match unit {
            Unit::Seconds | Unit::Milliseconds => 1,
            Unit::Microseconds => 1_000,
            Unit::Nanoseconds => 1_000_000,
        };
        let factor: i128 = if unit == Unit::Seconds { 1_000 } else { 1 };
        for _ in 0..5_000 {
            let (whole, places) = (rng.i64(-9_000_000_000_000_000..9_000_000_000_000_000) >> rng.u32(0..50), rng.usize(1..9));
            let scale = 10_i128.pow(places as u32);
            let fraction = rng.i64(0..scale as i64);
            let negative = whole < 0;
            let text = format!("{}{}.{fraction:0places$}", if negative { "-" } else { "" }, whole.unsigned_abs());
            let amount = i128::from(whole.unsigned_abs()) * scale + i128::from(fraction);
            let exact = (if negative { -amount } else { amount } * factor).div_euclid(scale * per_milli);
            assert_eq!(timestamps.parse(text.as_bytes()), i64::try_from(exact).ok(), "{} {text}", unit.word());
            let exact = (i128::from(whole) * factor).div_euclid(per_milli);
            assert_eq!(timestamps.parse(whole.to_string().as_bytes()), i64::try_from(exact).ok(), "{} {whole}", unit.word());
        }
    }
}

#[test]
fn patterns_say_day_and_time_and_their_offset() {
    check(
        "%d/%b/%Y:%H:%M:%S %z",
        None,
        &[
            ("01/Jan/2013:12:00:00 +0200", Some(TEN)),
            ("01/Jan/2013:10:00:00 +0000", Some(TEN)),
            ("31/Dec/1969:23:59:59 +0000", Some(-1_000)),
            ("01/Jan/2013:12:00:00", None),
            ("32/Jan/2013:12:00:00 +0200", None),
            ("01/Jan/2013:12:00:00 +0200 ", None),
            ("", None),
        ],
    );
    check("%Y-%m-%d %H:%M:%S%.f", Some("UTC"), &[("2013-01-01 10:00:00.2509", Some(TEN + 250)), ("1969-12-31 23:59:59.9999", Some(-1))]);
    check("%d.%m.%Y", Some("UTC"), &[("01.01.1970", Some(0)), ("29.02.2013", None)]);
    check("%s", None, &[("1357034400", Some(TEN))]);
}

#[test]
fn local_times_are_those_of_their_zone() {
    let utc = |text: &str| Timestamps::of("t".into()).parse(text.as_bytes());
    let berlin = |format: &str, separator: &str| {
        let local = |text: &str| text.replace(' ', separator);
        check(
            format,
            Some("Europe/Berlin"),
            &[
                (&local("2013-01-01 11:00:00"), Some(TEN)),
                (&local("2013-07-01 12:00:00"), utc("2013-07-01T10:00:00Z")),
                (&local("2013-03-31 01:59:59"), utc("2013-03-31T00:59:59Z")),
                (&local("2013-03-31 02:30:00"), None),
                (&local("2013-03-31 03:00:00"), utc("2013-03-31T01:00:00Z")),
                (&local("2013-10-27 02:30:00"), utc("2013-10-27T00:30:00Z")),
                (&local("2013-10-27 03:00:00"), utc("2013-10-27T02:00:00Z")),
            ],
        );
    };
    berlin("%Y-%m-%d %H:%M:%S", " ");
    berlin("rfc3339", "T");
    berlin("rfc3339", " ");
    // What says its offset is not a local time, and a day alone is no moment.
    check("rfc3339", Some("Europe/Berlin"), &[("2013-01-01T10:00:00Z", Some(TEN)), ("2013-01-01", None), ("1357034400000", None)]);
    check("rfc3339", Some("Europe/Berlin"), &[("2017-01-01T00:59:60", utc("2016-12-31T23:59:60Z")), ("2016-06-15T12:00:60", None)]);
    let either = read(json!({ "field": "t", "zone": "America/New_York" })).unwrap();
    assert_eq!(["2013-01-01T05:00:00", "1357034400000"].map(|text| either.parse(text.as_bytes())), [Some(TEN); 2]);
}

#[test]
fn every_moment_is_found_again_by_its_local_time_or_by_the_earlier_of_two() {
    let mut rng = fastrand::Rng::with_seed(3);
    for name in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"] {
        let (zone, format) = (TimeZone::get(name).unwrap(), "%Y-%m-%d %H:%M:%S");
        let timestamps = written(format, Some(name));
        for _ in 0..4_000 {
            let moment = jiff::Timestamp::from_second(rng.i64(0..2_000_000_000)).unwrap();
            let local = moment.to_zoned(zone.clone()).datetime();
            let found = timestamps.parse(local.strftime(format).to_string().as_bytes()).unwrap();
            let again = jiff::Timestamp::from_millisecond(found).unwrap();
            assert_eq!(again.to_zoned(zone.clone()).datetime(), local, "{name} {moment}");
            assert!(again <= moment, "{name}: {moment} is read as the later {again}");
        }
    }
}

#[test]
fn what_is_no_time_is_refused_with_its_field_and_what_was_read() {
    for (format, zone, text, why) in [
        ("unix-s", None, "soon", "the timestamp \"soon\" of `t` is no number of seconds since 1970 that fits"),
        ("rfc3339", None, "1357034400000", "the timestamp \"1357034400000\" of `t` is not RFC 3339"),
        (
            "%d/%b/%Y:%T %z",
            None,
            "01/Jan/2013:10:00:00.25 +0000",
            "the timestamp \"01/Jan/2013:10:00:00.25 +0000\" of `t` is not written as `%d/%b/%Y:%T %z`, and is as `%d/%b/%Y:%T%.f %z`: `%.f` is a fraction of a second",
        ),
        ("%d.%m.%Y", Some("UTC"), "2013", "the timestamp \"2013\" of `t` is not written as `%d.%m.%Y`"),
        (
            "%Y-%m-%d %H:%M:%S",
            Some("Europe/Berlin"),
            "2013-03-31 02:30:00",
            "the timestamp \"2013-03-31 02:30:00\" of `t` does not exist in Europe/Berlin: clocks were put forward over it",
        ),
        (
            "rfc3339",
            Some("Europe/Berlin"),
            "2013-03-31T02:30:00",
            "the timestamp \"2013-03-31T02:30:00\" of `t` does not exist in Europe/Berlin: clocks were put forward over it",
        ),
        ("rfc3339", Some("Europe/Berlin"), "2013-03-32T02:30:00", "the timestamp \"2013-03-32T02:30:00\" of `t` is not RFC 3339"),
    ] {
        let timestamps = written(format, zone);
        assert_eq!(timestamps.parse(text.as_bytes()), None, "{text}");
        assert_eq!(timestamps.refused(text.as_bytes()).why, why);
    }
}

#[test]
fn a_setting_that_says_no_time_is_refused_at_its_place_with_a_hint() {
    for (timestamp, field, message, hint) in [
        (json!(5), "timestamp", "`timestamp` of the source `file` must be a text or a table, not 5", ""),
        (json!({}), "timestamp", "`timestamp` has no `field`", "for example"),
        (json!({ "feild": "t" }), "timestamp.feild", "`timestamp` of the source `file` has no setting `feild`", "did you mean `field`?"),
        (
            json!({ "field": "t", "format": "unix-sec" }),
            "timestamp.format",
            "there is no format of times `unix-sec`",
            "did you mean `unix-s`?",
        ),
        (
            json!({ "field": "t", "format": "%Y-%m-%d" }),
            "timestamp.format",
            "what is written as `%Y-%m-%d` says no offset",
            "add `zone = \"UTC\"`",
        ),
        (
            json!({ "field": "t", "format": "%H:%M", "zone": "UTC" }),
            "timestamp.format",
            "no time can be read with the pattern `%H:%M`",
            "for example",
        ),
        (json!({ "field": "t", "format": "%Y %!" }), "timestamp.format", "no time can be read with the pattern `%Y %!`", "for example"),
        (
            json!({ "field": "t", "format": "%F %T %Q" }),
            "timestamp.format",
            "no time can be read with the pattern `%F %T %Q`",
            "for example `\"%d/%b/%Y:%H:%M:%S %z\"`; `%.f` is a fraction of a second",
        ),
        (
            json!({ "field": "t", "zone": "Europe/Berln" }),
            "timestamp.zone",
            "there is no time zone `Europe/Berln`",
            "did you mean `Europe/Berlin`?",
        ),
        (
            json!({ "field": "t", "zone": "Middle-earth" }),
            "timestamp.zone",
            "there is no time zone `Middle-earth`",
            "a zone is named as in",
        ),
        (
            json!({ "field": "t", "format": "unix-s", "zone": "UTC" }),
            "timestamp.zone",
            "`zone` says nothing with `format = \"unix-s\"`",
            "leave",
        ),
        (
            json!({ "field": "t", "format": "%F %T%z", "zone": "UTC" }),
            "timestamp.zone",
            "`zone` says nothing with the pattern `%F %T%z`",
            "leave",
        ),
    ] {
        let error = read(timestamp.clone()).expect_err(message);
        assert_eq!(error.field.as_deref(), Some(field), "{timestamp}: {error}");
        assert!(error.message.starts_with(message), "{timestamp}: {error}");
        assert!(error.hint.as_deref().unwrap_or_default().starts_with(hint), "{timestamp}: {:?}", error.hint);
    }
}

#[test]
fn zones_are_known_on_a_machine_that_has_none() {
    let bundled = jiff::tz::TimeZoneDatabase::bundled();
    assert!(bundled.get("Europe/Berlin").is_ok() && bundled.get("America/New_York").is_ok());
}

#[test]
fn a_table_that_says_no_more_than_a_field_is_that_field() {
    let plain = read(json!("t")).unwrap();
    assert_eq!((plain.identity(), read(json!({ "field": "t" })).unwrap().identity()), (json!("t"), json!("t")));
    let table = json!({ "field": "t", "format": "%F %T", "zone": "Europe/Berlin" });
    assert_eq!(read(table.clone()).unwrap().identity(), table);
    assert_eq!(plain.text(Format::Csv), "the column `t` (RFC 3339 or integer milliseconds)");
    let text = read(table).unwrap().text(Format::JsonLines);
    assert_eq!(text, "the field `t` (as `%F %T`, in Europe/Berlin where it says no offset)");
}
