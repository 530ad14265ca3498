//! From records to rows, as COPY has them: the record's place in the chunk, whether it deletes, and its columns.

use super::catalog::TargetColumn;
use super::cells::cells;
use super::columns::Origin;
use super::fields::Fields;
use super::settings::Mode;
use super::values::{ColumnType, Given, write};
use std::fmt;
use weir_engine::RecordBatch;
use weir_engine::element::NO_TIMESTAMP;

/// Makes rows of records.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    columns: Vec<TargetColumn>,
    mode: Mode,
    /// The fields that columns are filled with, in the order of these columns.
    fields: Fields,
    has_fields: bool,
    has_cells: bool,
}

/// Why a record makes no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// The column, where it is about one.
    pub column: Option<usize>,
    /// Why.
    pub why: String,
}

impl Misfit {
    fn of_column(column: usize, why: impl Into<String>) -> Self {
        Self { column: Some(column), why: why.into() }
    }

    fn of_record(why: impl Into<String>) -> Self {
        Self { column: None, why: why.into() }
    }
}

impl Rows {
    /// Rows of these columns.
    pub(super) fn of(columns: Vec<TargetColumn>, mode: Mode) -> Self {
        let paths = columns.iter().filter_map(|column| match &column.origin {
            Origin::Field(path) => Some(path.as_slice()),
            Origin::Cell(_) | Origin::Key | Origin::Value | Origin::Timestamp => None,
        });
        let fields = Fields::of(paths);
        let has = |kind: fn(&Origin) -> bool| columns.iter().any(|column| kind(&column.origin));
        let (has_fields, has_cells) = (has(|origin| matches!(origin, Origin::Field(_))), has(|origin| matches!(origin, Origin::Cell(_))));
        Self { columns, mode, fields, has_fields, has_cells }
    }

    /// The column at this place.
    pub(super) fn column(&self, place: usize) -> Option<&TargetColumn> {
        self.columns.get(place)
    }

    /// Appends the row of a record. What is left behind in `out` by an error is of no use.
    pub(super) fn push(&self, records: &RecordBatch, record: usize, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let is_deleted = self.mode == Mode::Upsert && records.value(record).is_none();
        fmt::Write::write_fmt(&mut Text(out), format_args!("{record}\t{}", if is_deleted { 't' } else { 'f' })).expect("it takes any text");
        if is_deleted {
            self.push_deleted(records.key(record), out)?
        } else {
            self.push_columns(records, record, out)?
        }
        out.push(b'\n');
        Ok(())
    }

    fn push_columns(&self, records: &RecordBatch, record: usize, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let value = records.value(record);
        let parted = |why: String| Misfit::of_record(format!("its value {why}"));
        let bytes = value.unwrap_or_default();
        let picked = match (self.has_fields, value) {
            (true, Some(_)) => self.fields.pick(bytes).map_err(|error| parted(format!("is no JSON object: {error}")))?,
            (_, _) => Vec::new(),
        };
        let row = match (self.has_cells, value) {
            (true, Some(_)) => cells(std::str::from_utf8(bytes).map_err(|_| parted("is no CSV: it is not UTF-8".into()))?),
            (_, _) => Vec::new(),
        };
        let mut picked = picked.into_iter();
        for (at, column) in self.columns.iter().enumerate() {
            if value.is_none() && column.origin.is_of_value() {
                return Err(Misfit::of_column(at, "the record has no value"));
            }
            let mut unescaped = String::new();
            let given = match &column.origin {
                Origin::Field(_) => match picked.next().flatten() {
                    Some(written) => Given::of_json(written, &mut unescaped).map_err(|why| Misfit::of_column(at, why))?,
                    None => Given::Nothing,
                },
                Origin::Cell(cell) => match row.get(*cell).map(String::as_str) {
                    None => return Err(Misfit::of_column(at, format!("the row has no cell {}, but {}", cell + 1, row.len()))),
                    Some("") => Given::Nothing,
                    // A cell that goes into JSON is JSON.
                    Some(cell) if column.kind == ColumnType::Json => Given::Bytes(cell.as_bytes()),
                    Some(cell) => Given::Text(cell),
                },
                Origin::Key => records.key(record).map_or(Given::Nothing, Given::Bytes),
                Origin::Value => Given::Bytes(bytes),
                Origin::Timestamp => match records.timestamps()[record] {
                    NO_TIMESTAMP => Given::Nothing,
                    millis => Given::Millis(millis),
                },
            };
            self.push_column(at, given, out)?;
        }
        Ok(())
    }

    fn push_column(&self, at: usize, given: Given<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let column = &self.columns[at];
        if given == Given::Nothing && column.is_required {
            let part = if column.in_key() { "a column of the key" } else { "a column that may not be null" };
            return Err(Misfit::of_column(at, format!("the record has nothing for {part}")));
        }
        out.push(b'\t');
        write(column.kind, given, out).map_err(|why| Misfit::of_column(at, why))
    }

    /// The row of a record that has a key alone: of one column it is the whole key, of several a JSON object with their names, or a list in the key's order.
    fn push_deleted(&self, key: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let Some(key) = key else { return Err(Misfit::of_record("it has neither a value nor a key: no row is deleted by it")) };
        let mut in_key: Vec<&TargetColumn> = self.columns.iter().filter(|column| column.in_key()).collect();
        in_key.sort_by_key(|column| column.key_place);
        let is_whole = in_key.len() == 1 || in_key.iter().all(|column| column.origin == Origin::Key);
        let parts = if is_whole { Vec::new() } else { parts(key, &in_key).map_err(|why| Misfit::of_record(format!("its key {why}")))? };
        for (at, column) in self.columns.iter().enumerate() {
            let mut unescaped = String::new();
            let given = match column.key_place {
                None => {
                    out.extend_from_slice(b"\t\\N");
                    continue;
                }
                Some(_) if is_whole => Given::Bytes(key),
                Some(place) => Given::of_json(&parts[place], &mut unescaped).map_err(|why| Misfit::of_column(at, why))?,
            };
            self.push_column(at, given, out)?;
        }
        Ok(())
    }
}

/// The parts of a key of several columns, as they are written.
fn parts(key: &[u8], columns: &[&TargetColumn]) -> Result<Vec<String>, String> {
    let expected = || {
        let names = columns.iter().map(|column| format!("`{}`", column.name)).collect::<Vec<_>>().join(", ");
        format!("is neither a JSON object with {names} nor a list of them")
    };
    if let Ok(list) = serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(key) {
        let parts: Vec<String> = list.iter().map(|part| part.get().to_owned()).collect();
        return if parts.len() == columns.len() { Ok(parts) } else { Err(expected()) };
    }
    let names: Vec<[String; 1]> = columns.iter().map(|column| [column.name.clone()]).collect();
    let picked = Fields::of(names.iter().map(|name| &name[..])).pick(key).map_err(|_| expected())?;
    picked.into_iter().map(|part| part.map(str::to_owned).ok_or_else(expected)).collect()
}

/// A buffer that texts are written to.
struct Text<'o>(&'o mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
