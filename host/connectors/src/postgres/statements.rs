//! The SQL that a chunk is published with: rows are copied into a temporary table, with their places, and go from there into the target.
//!
//! Invariant: of a key's records in a chunk the last one decides, and where any of them deletes the row, nothing of what was there before stays.

use super::catalog::TargetColumn;
use super::settings::Mode;
use super::table_name::{TableName, quoted};

/// The name of the temporary table. It is the connection's own and empty between two transactions.
const STAGED: &str = "pg_temp.weir_staged";
/// The rows of it that a statement is about: those of the records from the first parameter up to the second.
const PART: &str = "n >= $1 AND n < $2";

/// Lets records be found without looking through the others. It is made where a chunk is taken in parts, and the connection keeps it then.
pub(super) const BY_PLACE: &str = "CREATE INDEX IF NOT EXISTS weir_staged_by_place ON pg_temp.weir_staged (n)";

/// The statements for one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statements {
    /// Makes the temporary table.
    pub stage: String,
    /// Copies into it.
    pub copy: String,
    /// Takes away the rows of keys that some record deletes; `None`: no record does.
    pub delete: Option<String>,
    /// Brings what is left into the target.
    pub insert: String,
    /// Looks at records that others replace; `None`: none does.
    pub replaced: Option<OfReplaced>,
}

/// The statements about records that a later one of their key replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OfReplaced {
    /// Has the table look at all of them.
    pub try_all: String,
    /// Says which records they are.
    pub find: String,
    /// Has the table look at the records of the parameter.
    pub try_some: String,
    /// Takes the records of the parameter out of what is staged.
    pub leave_out: String,
}

impl Statements {
    /// Those for `table`, which has `columns`; those that are in the key are marked.
    pub(super) fn of(table: &TableName, columns: &[TargetColumn], mode: Mode) -> Self {
        let table = table.quoted();
        let staged = columns.iter().enumerate().map(|(at, column)| format!(", c{at} {}", column.staged_type));
        let stage =
            format!("CREATE TEMPORARY TABLE weir_staged (n int8, deleted bool{}) ON COMMIT DELETE ROWS", staged.collect::<String>());
        let names = list(columns.iter().map(|column| quoted(&column.name)));
        let values = list(columns.iter().enumerate().map(|(at, column)| match &column.default {
            Some(default) if !column.in_key() => format!("COALESCE(s.c{at}, {default})"),
            Some(_) | None => format!("s.c{at}"),
        }));
        let keys = || columns.iter().enumerate().filter(|(_, column)| column.in_key());
        let staged_keys = list(keys().map(|(at, _)| format!("c{at}")));
        let (delete, insert, replaced) = match mode {
            Mode::Append => {
                (None, format!("INSERT INTO {table} ({names}) SELECT {values} FROM {STAGED} s WHERE {PART} ORDER BY s.n"), None)
            }
            Mode::Upsert => {
                let same = keys().map(|(at, column)| format!("t.{} = d.c{at}", quoted(&column.name))).collect::<Vec<_>>().join(" AND ");
                let delete = format!(
                    "DELETE FROM {table} t USING (SELECT DISTINCT {staged_keys} FROM {STAGED} WHERE deleted AND {PART}) d WHERE {same}"
                );
                let last = format!("SELECT DISTINCT ON ({staged_keys}) * FROM {STAGED} WHERE {PART} ORDER BY {staged_keys}, n DESC");
                let key_names = list(keys().map(|(_, column)| quoted(&column.name)));
                let taken = |column: &TargetColumn| format!("{name} = EXCLUDED.{name}", name = quoted(&column.name));
                let taken = list(columns.iter().filter(|column| !column.in_key()).map(taken));
                let then = if taken.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {taken}") };
                let insert = format!(
                    "INSERT INTO {table} ({names}) SELECT {values} FROM ({last}) s WHERE NOT s.deleted ORDER BY s.n \
                     ON CONFLICT ({key_names}) DO {then}"
                );
                let tried = format!("INSERT INTO {table} ({names}) SELECT {values} FROM");
                (Some(delete), insert, Some(OfReplaced::of(&tried, &staged_keys)))
            }
        };
        Self { stage, copy: format!("COPY {STAGED} FROM STDIN"), delete, insert, replaced }
    }
}

impl OfReplaced {
    /// Those that are `tried` for the target, where these columns are a key.
    fn of(tried: &str, staged_keys: &str) -> Self {
        let all = format!("SELECT *, lead(n) OVER (PARTITION BY {staged_keys} ORDER BY n) AS replaced_by FROM {STAGED}");
        let replaced = "s.replaced_by IS NOT NULL AND NOT s.deleted";
        let some = "n = ANY($1)";
        Self {
            try_all: format!("{tried} ({all}) s WHERE {replaced} ON CONFLICT DO NOTHING"),
            find: format!("SELECT s.n FROM ({all}) s WHERE {replaced} ORDER BY s.n"),
            try_some: format!("{tried} {STAGED} s WHERE {some} ON CONFLICT DO NOTHING"),
            leave_out: format!("DELETE FROM {STAGED} WHERE {some}"),
        }
    }
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
