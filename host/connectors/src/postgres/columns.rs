//! Which part of a record goes into which column, as the job file says it: `columns = { total = "sum", place = { cell = 2 }, key = { record = "key" } }`.

use crate::settings::SettingsError;
use serde_json::Value;

/// What a column is filled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A field of the JSON object that the value is; several names lead into objects within it.
    Field(Vec<String>),
    /// A cell of the CSV row that the value is; the first is 0.
    Cell(usize),
    /// The record's key.
    Key,
    /// The whole value.
    Value,
    /// The record's time.
    Timestamp,
}

impl Origin {
    /// The field `name` of the value.
    pub(super) fn field(name: &str) -> Self {
        Self::Field(vec![name.to_owned()])
    }

    /// True where it is in the record's value.
    pub(super) fn is_of_value(&self) -> bool {
        match self {
            Self::Field(_) | Self::Cell(_) | Self::Value => true,
            Self::Key | Self::Timestamp => false,
        }
    }

    fn read(said: &Value) -> Option<Self> {
        if let Some(field) = said.as_str() {
            return Self::path(field);
        }
        let said = said.as_object().filter(|said| said.len() == 1)?;
        let (name, what) = said.iter().next()?;
        match (name.as_str(), what) {
            ("field", Value::String(field)) => Self::path(field),
            ("cell", Value::Number(cell)) => {
                cell.as_u64().filter(|cell| (1..=10_000).contains(cell)).map(|cell| Self::Cell(cell as usize - 1))
            }
            ("record", Value::String(part)) => match part.as_str() {
                "key" => Some(Self::Key),
                "value" => Some(Self::Value),
                "timestamp" => Some(Self::Timestamp),
                _ => None,
            },
            (_, _) => None,
        }
    }

    /// A name, or a JSON pointer where it begins with a stroke.
    fn path(field: &str) -> Option<Self> {
        let unescaped = |part: &str| part.replace("~1", "/").replace("~0", "~");
        match field.strip_prefix('/') {
            Some(pointer) => Some(Self::Field(pointer.split('/').map(unescaped).collect())),
            None if field.is_empty() => None,
            None => Some(Self::field(field)),
        }
    }
}

/// What is said for a column, in messages.
const EXPECTED: &str = "a field's name, `{ cell = 1 }` or `{ record = \"key\" }`";

/// Reads the whole setting: columns with what they are filled with.
pub(super) fn read(columns: &Value) -> Result<Vec<(String, Origin)>, SettingsError> {
    let wrong = |message: String| SettingsError::at("columns", message);
    let table = columns.as_object().filter(|columns| !columns.is_empty());
    let table = table.ok_or_else(|| wrong(format!("`columns` of the sink `postgres` must be a table of columns, each with {EXPECTED}")))?;
    let column = |(name, said): (&String, &Value)| match Origin::read(said) {
        Some(origin) => Ok((name.clone(), origin)),
        None => Err(wrong(format!("`columns.{name}` of the sink `postgres` must be {EXPECTED}, not {said}"))),
    };
    let columns = table.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let has = |kind: fn(&Origin) -> bool| columns.iter().any(|(_, origin)| kind(origin));
    if has(|origin| matches!(origin, Origin::Field(_))) && has(|origin| matches!(origin, Origin::Cell(_))) {
        return Err(wrong("`columns` of the sink `postgres` has fields and cells: a value is JSON or CSV, and not both".into()));
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_column_is_filled_with_a_field_a_cell_or_the_records_own() {
        let said = json!({ "a": "x", "b": "/x/y~1z", "c": { "record": "timestamp" }, "file": { "field": "/odd" } });
        let path = |names: &[&str]| Origin::Field(names.iter().map(|name| (*name).to_owned()).collect());
        let expect = [("a", path(&["x"])), ("b", path(&["x", "y/z"])), ("c", Origin::Timestamp), ("file", path(&["odd"]))];
        assert_eq!(read(&said).unwrap(), expect.map(|(name, origin)| (name.to_owned(), origin)));
        assert_eq!(read(&json!({ "a": { "cell": 2 } })).unwrap(), [("a".to_owned(), Origin::Cell(1))]);
    }

    #[test]
    fn what_a_column_cannot_be_filled_with_is_refused_by_its_name() {
        for said in [json!({ "a": 1 }), json!({ "a": { "cell": 0 } }), json!({ "a": { "record": "topic" } }), json!({ "a": "" })] {
            assert!(read(&said).unwrap_err().to_string().contains("`columns.a`"), "{said}");
        }
        assert!(read(&json!({})).is_err() && read(&json!(["a"])).is_err());
        assert!(read(&json!({ "a": "x", "b": { "cell": 1 } })).unwrap_err().to_string().contains("fields and cells"));
    }
}
