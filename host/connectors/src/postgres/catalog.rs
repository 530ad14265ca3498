//! What the server's catalogue says of the table, and whether a job's settings fit it.

use super::columns::Origin;
use super::connection::Connection;
use super::failures::Failure;
use super::settings::{Mode, TargetOptions};
use super::values::ColumnType;
use tokio_postgres::Row;
use weir_engine::{EngineError, ErrorKind};

/// The table by its name, and what the user may do with it.
const TABLE: &str = "SELECT c.oid, c.relkind::text, has_table_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'INSERT'), \
    has_table_privilege(c.oid, 'UPDATE') OR has_any_column_privilege(c.oid, 'UPDATE'), \
    has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT') \
    FROM pg_class c WHERE c.oid = to_regclass($1)";
/// Its columns. Of a domain it is the type beneath that counts here; the domain's own rules hold when rows come into the table.
const COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), b.oid, b.typname::text, b.typtype::text, \
    format_type(b.oid, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END), a.attnotnull, a.attidentity::text, \
    a.attgenerated::text, \
    CASE WHEN a.attidentity = 'd' THEN format('nextval(%L::regclass)', pg_get_serial_sequence($2, a.attname::text)) \
    ELSE pg_get_expr(d.adbin, d.adrelid) END \
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
    JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
/// The columns of each index that an upsert can go by, the primary key first.
const KEYS: &str = "SELECT i.indisprimary, ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place) \
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts ORDER BY k.place) \
    FROM pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate \
    AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY i.indisprimary DESC";

/// A column that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TargetColumn {
    pub name: String,
    pub kind: ColumnType,
    /// Its type as the catalogue has it, for messages.
    pub type_name: String,
    /// The type that it is staged with.
    pub staged_type: String,
    /// What a value that is absent becomes, as SQL has it.
    pub default: Option<String>,
    /// A value has to be there.
    pub is_required: bool,
    /// Its place in the key, where it is in it.
    pub key_place: Option<usize>,
    pub origin: Origin,
}

impl TargetColumn {
    /// True where it is in the key.
    pub(super) fn in_key(&self) -> bool {
        self.key_place.is_some()
    }
}

/// A column as the catalogue has it.
struct Found {
    name: String,
    type_name: String,
    base: (u32, String, String),
    staged_type: String,
    not_null: bool,
    identity: String,
    generated: String,
    default: Option<String>,
}

impl Found {
    fn of(row: &Row) -> Self {
        Self {
            name: row.get(0),
            type_name: row.get(1),
            base: (row.get(2), row.get(3), row.get(4)),
            staged_type: row.get(5),
            not_null: row.get(6),
            identity: row.get(7),
            generated: row.get(8),
            default: row.get(9),
        }
    }

    /// The server gives it its value, and takes none.
    fn is_the_servers(&self) -> bool {
        self.identity == "a" || !self.generated.is_empty()
    }
}

/// The columns of the table that are written, found and checked.
pub(super) async fn columns(connection: &Connection, options: &TargetOptions) -> Result<Vec<TargetColumn>, EngineError> {
    let table = &options.table;
    let quoted = table.quoted();
    let failed = |error: tokio_postgres::Error| Failure::from(error).error(&format!("look at the table `{table}`"), &connection.place);
    let client = &connection.client;
    let wrong = |message: String| EngineError::new(ErrorKind::FixInput, format!("{message} in {}", connection.place));
    let row = client.query_opt(TABLE, &[&quoted]).await.map_err(failed)?;
    if client.query_one("SELECT pg_is_in_recovery()", &[]).await.map_err(failed)?.get(0) {
        let message = format!("the server takes no writes, it is in recovery: {}", connection.place);
        return Err(EngineError::new(ErrorKind::Retry, message).with_hint("a standby is: name the primary in `url`"));
    }
    let Some(row) = row else {
        let hint =
            "create it, or mend its name, which is as it is written, in upper and lower case; `\\dt *.*` in psql shows what there is";
        return Err(wrong(format!("there is no table `{table}`")).with_hint(hint));
    };
    let (oid, kind): (u32, String) = (row.get(0), row.get(1));
    if !["r", "p", "v", "f"].contains(&kind.as_str()) {
        return Err(wrong(format!("`{table}` is no table that rows can be written to")));
    }
    for (at, right) in [(2, "INSERT"), (3, "UPDATE"), (4, "SELECT")] {
        if (options.mode == Mode::Upsert || at == 2) && !row.get::<_, bool>(at) {
            let user = connection.place.user();
            let hint = format!("GRANT {right} ON {quoted} TO \"{user}\"");
            return Err(wrong(format!("the right to {right} is missing on the table `{table}`")).with_hint(hint));
        }
    }
    let found = client.query(COLUMNS, &[&oid, &quoted]).await.map_err(failed)?;
    let found: Vec<Found> = found.iter().map(Found::of).collect();
    let keys = client.query(KEYS, &[&oid]).await.map_err(failed)?;
    let keys: Vec<(bool, Vec<String>)> = keys.iter().map(|row| (row.get(0), row.get(1))).collect();
    fit(options, found, &keys).map_err(|(message, hint)| {
        let error = wrong(format!("{message}: the table `{table}`"));
        if hint.is_empty() { error } else { error.with_hint(hint) }
    })
}

type Misfit = (String, String);

/// Brings together what the job says and what the table has.
fn fit(options: &TargetOptions, found: Vec<Found>, keys: &[(bool, Vec<String>)]) -> Result<Vec<TargetColumn>, Misfit> {
    let key = match options.mode {
        Mode::Append => Vec::new(),
        Mode::Upsert => key(options, keys)?,
    };
    let by_name =
        || found.iter().filter(|column| !column.is_the_servers()).map(|column| (column.name.clone(), Origin::field(&column.name)));
    let wanted = options.columns.clone().unwrap_or_else(|| by_name().collect());
    if let Some(name) = key.iter().find(|name| wanted.iter().all(|(wanted, _)| wanted != *name)) {
        return Err((format!("the column `{name}` is in the key, and `columns` does not fill it"), String::new()));
    }
    let is_open = |column: &&Found| column.not_null && column.default.is_none() && !column.is_the_servers();
    if let Some(column) = found.iter().filter(is_open).find(|column| wanted.iter().all(|(wanted, _)| *wanted != column.name)) {
        let hint = "fill it by `columns`, or give it a default".to_owned();
        return Err((format!("the column `{}` may not be null and has no default, and `columns` does not fill it", column.name), hint));
    }
    let column = |(name, origin): (String, Origin)| {
        let Some(column) = found.iter().find(|column| column.name == name) else {
            let known = found.iter().map(|column| column.name.as_str());
            return Err((format!("there is no column `{name}`"), crate::settings::suggest(&name, known, "columns")));
        };
        if column.is_the_servers() {
            return Err((format!("the column `{name}` is generated by the server, which takes no value for it"), String::new()));
        }
        let (oid, typname, typtype) = &column.base;
        let Some(kind) = ColumnType::of(*oid, typname, typtype) else {
            let hint = "fill other columns by `columns`, or write to a view that casts it".to_owned();
            return Err((
                format!("the column `{name}` is of the type {}, which the sink `postgres` does not write", column.type_name),
                hint,
            ));
        };
        let key_place = key.iter().position(|of_key| *of_key == name);
        Ok(TargetColumn {
            kind,
            type_name: column.type_name.clone(),
            staged_type: column.staged_type.clone(),
            is_required: key_place.is_some() || column.not_null && column.default.is_none(),
            default: column.default.clone(),
            key_place,
            name,
            origin,
        })
    };
    wanted.into_iter().map(column).collect()
}

/// The columns of the key: as they are said, and some unique index has them; else those of the primary key.
fn key(options: &TargetOptions, keys: &[(bool, Vec<String>)]) -> Result<Vec<String>, Misfit> {
    let table = options.table.quoted();
    if options.key.is_empty() {
        let primary = keys.iter().find(|(is_primary, _)| *is_primary).map(|(_, columns)| columns.clone());
        return primary
            .ok_or_else(|| ("there is no primary key, which `key` would be".into(), format!("ALTER TABLE {table} ADD PRIMARY KEY (…)")));
    }
    let is_same = |columns: &Vec<String>| columns.len() == options.key.len() && options.key.iter().all(|name| columns.contains(name));
    match keys.iter().any(|(_, columns)| is_same(columns)) {
        true => Ok(options.key.clone()),
        false => {
            let columns = options.key.iter().map(|name| super::table_name::quoted(name)).collect::<Vec<_>>().join(", ");
            let hint = format!("ALTER TABLE {table} ADD PRIMARY KEY ({columns}), or ADD UNIQUE");
            Err((format!("no unique index has the columns of `key` and no others: {columns}"), hint))
        }
    }
}
