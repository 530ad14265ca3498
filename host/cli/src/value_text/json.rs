//! Turns the CBOR of a described type into JSON.
//!
//! Records become objects with their fields in the order of the description, maps objects where their keys are texts or integers and arrays of
//! pairs elsewhere, a case without a value its name and one with a value an object of one field, bytes a text of hex digits behind `0x`, and the floats
//! that JSON does not have the texts `NaN`, `Infinity` and `-Infinity`. Recursion ends with the type, which is finite; the text is bounded by the bytes.

use super::cbor::{Cursor, Item};
use super::hex;
use weir_wasm::schema::Type;

/// The JSON of the value that `bytes`, all of them, hold.
pub(super) fn json(of: &Type, bytes: &[u8]) -> Result<String, String> {
    let (mut cursor, mut out) = (Cursor::new(bytes), String::new());
    write(of, &mut cursor, &mut out)?;
    match cursor.rest().len() {
        0 => Ok(out),
        left => Err(format!("{left} bytes follow the value")),
    }
}

/// A JSON text. Control characters are escaped, also those that JSON allows.
pub(super) fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).expect("a text is JSON");
    let escape = |c: char| if c.is_control() { format!("\\u{:04x}", u32::from(c)) } else { c.into() };
    if json.contains(char::is_control) { json.chars().map(escape).collect() } else { json }
}

/// The JSON of a map's entries, which are JSON themselves.
pub(super) fn entries(key: Option<&Type>, entries: Vec<(String, String)>) -> String {
    let pairs = |open, join: &dyn Fn(String, String) -> String, close| {
        let entries: Vec<String> = entries.into_iter().map(|(key, value)| join(key, value)).collect();
        format!("{open}{}{close}", entries.join(","))
    };
    match key {
        Some(Type::String) => pairs('{', &|key, value| format!("{key}:{value}"), '}'),
        Some(Type::Integer(..)) => pairs('{', &|key, value| format!("\"{key}\":{value}"), '}'),
        Some(
            Type::Bool
            | Type::F32
            | Type::F64
            | Type::Bytes
            | Type::Unit
            | Type::List(_)
            | Type::Map(..)
            | Type::Tuple(_)
            | Type::Option(_)
            | Type::Record(_)
            | Type::Enum(_),
        )
        | None => pairs('[', &|key, value| format!("[{key},{value}]"), ']'),
    }
}

fn write(of: &Type, from: &mut Cursor<'_>, out: &mut String) -> Result<(), String> {
    match of {
        Type::Bool => {
            out.push_str(&expect(from, "a bool", |item| if let Item::Bool(bool) = item { Some(bool) } else { None })?.to_string())
        }
        Type::Integer(least, most) => out.push_str(&integer(from, *least, *most)?.to_string()),
        Type::F32 => out.push_str(&single(float(from)?)?),
        Type::F64 => out.push_str(&double(float(from)?)),
        Type::String => out.push_str(&quoted(text(from)?)),
        Type::Bytes => {
            let bytes = expect(from, "bytes", |item| if let Item::Bytes(bytes) = item { Some(bytes) } else { None })?;
            out.push_str(&quoted(&hex(bytes)));
        }
        Type::Unit => {
            expect(from, "null", |item| (item == Item::Null).then_some(()))?;
            out.push_str("null");
        }
        Type::Option(inner) => match from.take_null() {
            true => out.push_str("null"),
            false => write(inner, from, out)?,
        },
        Type::List(item) => {
            let items = array(from)?;
            out.push_str(&array_of((0..items).map(|_| &**item), from)?);
        }
        Type::Tuple(items) => {
            let found = array(from)?;
            if found != items.len() as u64 {
                return Err(format!("an array of {found} items where {} were expected", items.len()));
            }
            out.push_str(&array_of(items.iter(), from)?);
        }
        Type::Map(key, value) => out.push_str(&map(key, value, from)?),
        Type::Record(fields) => out.push_str(&record(fields, from)?),
        Type::Enum(cases) => out.push_str(&case(cases, from)?),
    }
    Ok(())
}

fn expect<'a, T>(from: &mut Cursor<'a>, what: &str, fits: impl FnOnce(Item<'a>) -> Option<T>) -> Result<T, String> {
    let item = from.take()?;
    fits(item).ok_or_else(|| format!("{} where {what} was expected", item.name()))
}

fn text<'a>(from: &mut Cursor<'a>) -> Result<&'a str, String> {
    expect(from, "a text", |item| if let Item::Text(text) = item { Some(text) } else { None })
}

fn array(from: &mut Cursor<'_>) -> Result<u64, String> {
    expect(from, "an array", |item| if let Item::Array(items) = item { Some(items) } else { None })
}

fn integer(from: &mut Cursor<'_>, least: i128, most: i128) -> Result<i128, String> {
    let number = expect(from, "an integer", |item| match item {
        Item::Unsigned(number) => Some(i128::from(number)),
        Item::Negative(number) => Some(-1 - i128::from(number)),
        Item::Bytes(_) | Item::Text(_) | Item::Array(_) | Item::Map(_) | Item::Bool(_) | Item::Null | Item::Float(_) => None,
    })?;
    if (least..=most).contains(&number) { Ok(number) } else { Err(format!("{number} is not from {least} to {most}")) }
}

fn float(from: &mut Cursor<'_>) -> Result<f64, String> {
    expect(from, "a float", |item| if let Item::Float(float) = item { Some(float) } else { None })
}

/// In as many digits as tell it from every other single.
fn single(value: f64) -> Result<String, String> {
    let single = value as f32;
    if value.is_finite() && f64::from(single) != value {
        return Err(format!("{value} has more digits than an f32"));
    }
    if value.is_finite() { Ok(serde_json::to_string(&single).expect("a float is JSON")) } else { Ok(double(value)) }
}

fn double(value: f64) -> String {
    let infinity = || if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" };
    match (value.is_nan(), value.is_finite()) {
        (true, _) => "\"NaN\"".into(),
        (false, true) => serde_json::to_string(&value).expect("a float is JSON"),
        (false, false) => infinity().into(),
    }
}

fn array_of<'t>(items: impl Iterator<Item = &'t Type>, from: &mut Cursor<'_>) -> Result<String, String> {
    let mut out = String::from("[");
    for item in items {
        if out.len() > 1 {
            out.push(',');
        }
        write(item, from, &mut out)?;
    }
    out.push(']');
    Ok(out)
}

/// Reads a map's entries: `read` is called behind each key's encoding is known to follow the one before.
fn each_entry<'a>(from: &mut Cursor<'a>, mut read: impl FnMut(&mut Cursor<'a>) -> Result<&'a [u8], String>) -> Result<(), String> {
    let count = expect(from, "a map", |item| if let Item::Map(entries) = item { Some(entries) } else { None })?;
    let mut before: Option<&[u8]> = None;
    for _ in 0..count {
        let key = read(from)?;
        if before.is_some_and(|before| before >= key) {
            return Err("the keys of a map are not in order, or one stands twice".into());
        }
        before = Some(key);
    }
    Ok(())
}

/// Runs `read`; what it gives, and the bytes that it took.
fn taken<'a, T>(from: &mut Cursor<'a>, read: impl FnOnce(&mut Cursor<'a>) -> Result<T, String>) -> Result<(T, &'a [u8]), String> {
    let before = from.rest();
    let read = read(from)?;
    Ok((read, &before[..before.len() - from.rest().len()]))
}

fn map(key: &Type, value: &Type, from: &mut Cursor<'_>) -> Result<String, String> {
    let mut found = Vec::new();
    each_entry(from, |from| {
        let (mut key_json, mut value_json) = (String::new(), String::new());
        let ((), encoded) = taken(from, |from| write(key, from, &mut key_json))?;
        write(value, from, &mut value_json)?;
        found.push((key_json, value_json));
        Ok(encoded)
    })?;
    Ok(entries(Some(key), found))
}

fn record(fields: &[(String, Type)], from: &mut Cursor<'_>) -> Result<String, String> {
    let mut values: Vec<Option<String>> = vec![None; fields.len()];
    each_entry(from, |from| {
        let (name, encoded) = taken(from, text)?;
        let at =
            fields.iter().position(|(field, _)| field == name).ok_or_else(|| format!("there is no field `{}`", name.escape_debug()))?;
        let mut value = String::new();
        write(&fields[at].1, from, &mut value).map_err(|what| format!("{name}: {what}"))?;
        values[at] = Some(value);
        Ok(encoded)
    })?;
    let field = |((name, _), value): (&(String, Type), Option<String>)| match value {
        Some(value) => Ok(format!("{}:{value}", quoted(name))),
        None => Err(format!("the field `{name}` is missing")),
    };
    let fields: Vec<String> = fields.iter().zip(values).map(field).collect::<Result<_, _>>()?;
    Ok(format!("{{{}}}", fields.join(",")))
}

fn case(cases: &[(String, Option<Type>)], from: &mut Cursor<'_>) -> Result<String, String> {
    let (name, has_value) = match from.take()? {
        Item::Text(name) => (name, false),
        Item::Map(1) => (text(from)?, true),
        item => return Err(format!("{} where a case was expected", item.name())),
    };
    let Some((_, value)) = cases.iter().find(|(case, _)| case == name) else {
        return Err(format!("there is no case `{}`", name.escape_debug()));
    };
    match (value, has_value) {
        (None, false) => Ok(quoted(name)),
        (Some(of), true) => {
            let mut value = String::new();
            write(of, from, &mut value).map_err(|what| format!("{name}: {what}"))?;
            Ok(format!("{{{}:{value}}}", quoted(name)))
        }
        (None, true) => Err(format!("the case `{name}` has no value, and one is there")),
        (Some(_), false) => Err(format!("the case `{name}` is without its value")),
    }
}
