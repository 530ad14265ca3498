//! Rows of records of every make.

use super::*;
use crate::postgres::values::ColumnType;
use weir_engine::element::BatchBuilder;

fn column(name: &str, kind: ColumnType, origin: Origin) -> TargetColumn {
    TargetColumn {
        name: name.into(),
        kind,
        type_name: "t".into(),
        staged_type: "t".into(),
        default: None,
        is_required: false,
        key_place: None,
        origin,
    }
}

fn key(name: &str, kind: ColumnType, origin: Origin) -> TargetColumn {
    TargetColumn { key_place: Some(0), is_required: true, ..column(name, kind, origin) }
}

const INTEGER: ColumnType = ColumnType::Integer { least: i64::MIN, most: i64::MAX };

/// The row of a record with this key, this value and the time 5.
fn row(columns: &[TargetColumn], mode: Mode, of_key: Option<&str>, value: Option<&str>) -> Result<String, String> {
    let mut builder = BatchBuilder::new();
    match value {
        Some(value) => builder.push(of_key.map(str::as_bytes), value.as_bytes(), Some(5)),
        None => builder.push_valueless(of_key.map(str::as_bytes), Some(5)),
    }
    let mut out = Vec::new();
    match Rows::of(columns.to_vec(), mode).push(&builder.finish(), 0, &mut out) {
        Ok(()) => Ok(String::from_utf8(out).expect("UTF-8")),
        Err(misfit) => Err(format!("{:?}: {}", misfit.column.map(|at| &columns[at].name), misfit.why)),
    }
}

#[test]
fn columns_are_filled_from_fields_cells_and_the_records_own() {
    let of_record = [
        column("k", ColumnType::Text, Origin::Key),
        column("v", ColumnType::Bytes, Origin::Value),
        column("t", INTEGER, Origin::Timestamp),
    ];
    assert_eq!(row(&of_record, Mode::Append, Some("a"), Some("b")).as_deref(), Ok("0\tf\ta\t\\\\x62\t5\n"));
    assert_eq!(row(&of_record, Mode::Append, None, Some("")).as_deref(), Ok("0\tf\t\\N\t\\\\x\t5\n"));
    let of_json = [
        column("a", ColumnType::Text, Origin::field("x")),
        column("k", ColumnType::Text, Origin::Key),
        column("b", INTEGER, Origin::field("y")),
    ];
    assert_eq!(row(&of_json, Mode::Append, Some("k"), Some(r#"{"y":7,"x":"\t"}"#)).as_deref(), Ok("0\tf\t\\t\tk\t7\n"));
    assert_eq!(row(&of_json, Mode::Append, Some("k"), Some(r#"{"z":7,"x":null}"#)).as_deref(), Ok("0\tf\t\\N\tk\t\\N\n"));
    let of_csv = [column("a", ColumnType::Text, Origin::Cell(1)), column("b", INTEGER, Origin::Cell(0))];
    assert_eq!(row(&of_csv, Mode::Append, None, Some("7,\"x,y\"")).as_deref(), Ok("0\tf\tx,y\t7\n"));
    assert_eq!(row(&of_csv, Mode::Append, None, Some(",")).as_deref(), Ok("0\tf\t\\N\t\\N\n"));
}

#[test]
fn an_absent_value_deletes_by_the_records_key() {
    let one = [column("n", INTEGER, Origin::field("n")), key("word", ColumnType::Text, Origin::field("word"))];
    assert_eq!(row(&one, Mode::Upsert, Some("w"), None).as_deref(), Ok("0\tt\t\\N\tw\n"));
    assert_eq!(row(&one, Mode::Upsert, Some("w"), Some(r#"{"n":1,"word":"v"}"#)).as_deref(), Ok("0\tf\t1\tv\n"));
    let second = TargetColumn { key_place: Some(1), ..key("b", ColumnType::Text, Origin::field("b")) };
    let two = [second, key("a", INTEGER, Origin::field("a"))];
    for of_key in [r#"[1,"x"]"#, r#"{"b":"x","a":1}"#] {
        assert_eq!(row(&two, Mode::Upsert, Some(of_key), None).as_deref(), Ok("0\tt\tx\t1\n"), "{of_key}");
    }
    for of_key in ["[1]", r#"{"a":1}"#, "x"] {
        let error = row(&two, Mode::Upsert, Some(of_key), None).expect_err("it is no key");
        assert!(error.contains("neither a JSON object with `a`, `b` nor a list"), "{of_key}: {error}");
    }
}

#[test]
fn what_does_not_fit_names_its_column() {
    let columns = [key("word", ColumnType::Text, Origin::field("word")), column("n", INTEGER, Origin::field("n"))];
    for (mode, of_key, value, expect) in [
        (Mode::Upsert, Some("k"), Some(r#"{"n":1}"#), "Some(\"word\"): the record has nothing for a column of the key"),
        (Mode::Upsert, Some("k"), Some(r#"{"word":"a","n":"x"}"#), "Some(\"n\"): \"x\" is no whole number"),
        (Mode::Upsert, Some("k"), Some("5"), "None: its value is no JSON object"),
        (Mode::Upsert, None, None, "None: it has neither a value nor a key"),
        (Mode::Append, Some("k"), None, "Some(\"word\"): the record has no value"),
    ] {
        let error = row(&columns, mode, of_key, value).expect_err("it does not fit");
        assert!(error.contains(expect), "{error}");
    }
    let cell = [column("a", INTEGER, Origin::Cell(2))];
    assert!(row(&cell, Mode::Append, None, Some("1,2")).unwrap_err().contains("no cell 3, but 2"));
}
