//! Reads the description of a state's type: the grammar is in `wit/schema.md`. What is outside of it describes nothing, so a plugin that says it is refused,
//! before there is state that nobody can show or migrate.

use weir_engine::state::StateKind;

/// Descriptions nest no deeper than this; an SDK writes none that does.
const DEPTH_MAX: usize = 128;

/// A described type.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `bool`
    Bool,
    /// An integer from the one to the other.
    Integer(i128, i128),
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `unit`, which is null.
    Unit,
    /// Items of a type.
    List(Box<Type>),
    /// From keys of one type to values of another.
    Map(Box<Type>, Box<Type>),
    /// Items of these types.
    Tuple(Vec<Type>),
    /// A value, or null.
    Option(Box<Type>),
    /// Fields by name.
    Record(Vec<(String, Type)>),
    /// Cases by name, each with the type of its value where it has one.
    Enum(Vec<(String, Option<Type>)>),
}

/// What keeps `description` from describing a state of this kind.
pub(crate) fn fault(description: &str, kind: StateKind) -> Option<String> {
    match (parse(description), kind) {
        (Ok(None), _) | (Ok(Some(_)), StateKind::Value | StateKind::List) => None,
        (Ok(Some(Type::Map(..))), StateKind::Map | StateKind::Broadcast) => None,
        (Ok(Some(_)), StateKind::Map | StateKind::Broadcast) => Some("it is not that of a map: `map<KEY,VALUE>`".into()),
        (Err(what), _) => Some(what),
    }
}

/// The type that `description` describes; `None` for `raw`. What is wrong with it where it describes none.
pub fn parse(description: &str) -> Result<Option<Type>, String> {
    if description == "raw" {
        return Ok(None);
    }
    let mut parser = Parser { rest: description, depth: 0 };
    let parsed = parser.parse().and_then(|parsed| if parser.rest.is_empty() { Ok(parsed) } else { Err("its end was expected".to_owned()) });
    parsed.map(Some).map_err(|what| format!("at byte {}: {what}", description.len() - parser.rest.len()))
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn parse(&mut self) -> Result<Type, String> {
        if self.depth == DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX}"));
        }
        self.depth += 1;
        let parsed = self.named();
        self.depth -= 1;
        parsed
    }

    fn named(&mut self) -> Result<Type, String> {
        let name = self.name()?;
        if self.take('{') {
            let fields = self.items('}', Self::field)?;
            named_once("field", fields.iter().map(|(name, _)| name.as_str()))?;
            return Ok(Type::Record(fields));
        }
        if self.take('[') {
            let cases = self.items(']', Self::case)?;
            named_once("case", cases.iter().map(|(name, _)| name.as_str()))?;
            return if cases.is_empty() { Err("an enum has one case at least".into()) } else { Ok(Type::Enum(cases)) };
        }
        if self.take('<') {
            return self.generic(name);
        }
        scalar(name).ok_or_else(|| format!("`{name}` is no type"))
    }

    fn generic(&mut self, name: &str) -> Result<Type, String> {
        let arguments = self.items('>', Self::parse)?;
        match (name, <[Type; 1]>::try_from(arguments)) {
            ("list", Ok([item])) => Ok(Type::List(item.into())),
            ("option", Ok([Type::Unit | Type::Option(_)])) => {
                Err("the two nulls of an option of what may be null cannot be told apart".into())
            }
            ("option", Ok([inner])) => Ok(Type::Option(inner.into())),
            ("tuple", Ok(item)) => Ok(Type::Tuple(item.into())),
            ("tuple", Err(items)) if !items.is_empty() => Ok(Type::Tuple(items)),
            ("map", Err(arguments)) => match <[Type; 2]>::try_from(arguments) {
                Ok([key, value]) => Ok(Type::Map(key.into(), value.into())),
                Err(_) => Err("a map has a type of keys and one of values".into()),
            },
            (name, _) => Err(format!("`{name}<…>` with these arguments is no type")),
        }
    }

    fn field(&mut self) -> Result<(String, Type), String> {
        let name = self.name()?.to_owned();
        if !self.take(':') {
            return Err("`:` was expected".into());
        }
        Ok((name, self.parse()?))
    }

    fn case(&mut self) -> Result<(String, Option<Type>), String> {
        let name = self.name()?.to_owned();
        if !self.take('(') {
            return Ok((name, None));
        }
        let value = self.parse()?;
        if self.take(')') { Ok((name, Some(value))) } else { Err("`)` was expected".into()) }
    }

    /// Items with commas between them, up to `end`.
    fn items<T>(&mut self, end: char, item: impl Fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut items = Vec::new();
        while !self.take(end) {
            if !items.is_empty() && !self.take(',') {
                return Err(format!("`,` or `{end}` was expected"));
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let (name, rest) = self.rest.split_at(self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len()));
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err("a name was expected".into());
        }
        self.rest = rest;
        Ok(name)
    }

    fn take(&mut self, next: char) -> bool {
        let taken = self.rest.strip_prefix(next);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }
}

/// Fields and cases are keys of a CBOR map.
fn named_once<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = std::collections::HashSet::new();
    let mut twice = names.filter(|name| !seen.insert(*name));
    twice.next().map_or(Ok(()), |name| Err(format!("two {what}s are named `{name}`")))
}

fn scalar(name: &str) -> Option<Type> {
    fn integer<T: Into<i128>>(least: T, most: T) -> Option<Type> {
        Some(Type::Integer(least.into(), most.into()))
    }
    match name {
        "bool" => Some(Type::Bool),
        "u8" => integer(u8::MIN, u8::MAX),
        "u16" => integer(u16::MIN, u16::MAX),
        "u32" => integer(u32::MIN, u32::MAX),
        "u64" => integer(u64::MIN, u64::MAX),
        "i8" => integer(i8::MIN, i8::MAX),
        "i16" => integer(i16::MIN, i16::MAX),
        "i32" => integer(i32::MIN, i32::MAX),
        "i64" => integer(i64::MIN, i64::MAX),
        "f32" => Some(Type::F32),
        "f64" => Some(Type::F64),
        "string" => Some(Type::String),
        "bytes" => Some(Type::Bytes),
        "unit" => Some(Type::Unit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(description: &str, expect: Type) {
        assert_eq!(parse(description), Ok(Some(expect)), "{description}");
    }

    #[track_caller]
    fn refused(description: &str, expect: &str) {
        assert_eq!(parse(description), Err(expect.to_owned()), "{description}");
    }

    const U8: Type = Type::Integer(0, 255);

    #[test]
    fn every_form_of_the_grammar_is_read() {
        assert_eq!(parse("raw"), Ok(None));
        check("i64", Type::Integer(i64::MIN.into(), i64::MAX.into()));
        check("list<u8>", Type::List(U8.into()));
        check("map<string,f32>", Type::Map(Type::String.into(), Type::F32.into()));
        check("tuple<u8>", Type::Tuple(vec![U8]));
        check("tuple<u8,bytes,unit>", Type::Tuple(vec![U8, Type::Bytes, Type::Unit]));
        check("option<f64>", Type::Option(Type::F64.into()));
        check("Totals{n:u8,is-late:bool}", Type::Record(vec![("n".into(), U8), ("is-late".into(), Type::Bool)]));
        check("Nothing{}", Type::Record(Vec::new()));
        check("Order[pending,shipped(u8)]", Type::Enum(vec![("pending".into(), None), ("shipped".into(), Some(U8))]));
        // A name of the author's may be a word of the grammar.
        check("list{map:u8}", Type::Record(vec![("map".into(), U8)]));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        refused("", "at byte 0: a name was expected");
        refused("u7", "at byte 2: `u7` is no type");
        refused("list<u8", "at byte 7: `,` or `>` was expected");
        refused("list<u8,u8>", "at byte 11: `list<…>` with these arguments is no type");
        refused("map<u8>", "at byte 7: `map<…>` with these arguments is no type");
        refused("map<u8,u8,u8>", "at byte 13: a map has a type of keys and one of values");
        refused("tuple<>", "at byte 7: `tuple<…>` with these arguments is no type");
        refused("A{b}", "at byte 3: `:` was expected");
        refused("A[b(u8]", "at byte 6: `)` was expected");
        refused("A{b:u8,b:u8}", "at byte 12: two fields are named `b`");
        refused("A[b,c,b(u8)]", "at byte 12: two cases are named `b`");
        refused("A[]", "at byte 3: an enum has one case at least");
        refused("option<unit>", "at byte 12: the two nulls of an option of what may be null cannot be told apart");
        refused("u8 ", "at byte 2: its end was expected");
        refused("raw<u8>", "at byte 7: `raw<…>` with these arguments is no type");
        refused("list<raw>", "at byte 8: `raw` is no type");
        refused(&"list<".repeat(5_000), "at byte 640: it is nested deeper than 128");
    }

    #[test]
    fn a_map_state_is_described_as_a_map() {
        assert_eq!(fault("map<string,u8>", StateKind::Map), None);
        assert_eq!(fault("raw", StateKind::Broadcast), None);
        assert_eq!(fault("map<string,u8>", StateKind::Value), None);
        assert!(fault("u8", StateKind::Broadcast).is_some());
        assert_eq!(fault("Vec<u8>", StateKind::List), Some("at byte 7: `Vec<…>` with these arguments is no type".into()));
    }
}
