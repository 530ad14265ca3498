//! The name of a table, as the job file has it and as SQL has it.

use std::fmt;

/// Bytes that an identifier may have: the server would cut the rest off.
const LONGEST: usize = 63;

/// A table, by its schema where one is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableName {
    schema: Option<String>,
    name: String,
}

impl TableName {
    /// Reads `table` or `schema.table`; `None`: no table can be called that.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (schema, name) = text.split_once('.').map_or((None, text), |(schema, name)| (Some(schema), name));
        let fits = |part: &str| !part.is_empty() && part.len() <= LONGEST && !part.contains(['\0', '.', '"']);
        let all_fit = schema.is_none_or(fits) && fits(name);
        all_fit.then(|| Self { schema: schema.map(str::to_owned), name: name.to_owned() })
    }

    /// As SQL has it.
    pub(super) fn quoted(&self) -> String {
        let schema = self.schema.iter().map(|schema| format!("{}.", quoted(schema)));
        schema.chain([quoted(&self.name)]).collect()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.schema.iter().try_for_each(|schema| write!(f, "{schema}."))?;
        f.write_str(&self.name)
    }
}

/// An identifier as SQL has it, whatever it is made of.
pub(super) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_part_by_part() {
        let quoted = |text: &str| TableName::of(text).map(|name| (name.quoted(), name.to_string()));
        assert_eq!(quoted("totals"), Some(("\"totals\"".into(), "totals".into())));
        assert_eq!(quoted("a b.C"), Some(("\"a b\".\"C\"".into(), "a b.C".into())));
        assert_eq!(["", ".x", "x.", "a.b.c", "a\"b", &"x".repeat(64)].map(quoted), [const { None }; 6]);
        assert_eq!(super::quoted("a\"b"), "\"a\"\"b\"");
    }
}
