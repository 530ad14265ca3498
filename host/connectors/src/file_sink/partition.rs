//! Which folder below the sink's a record is written into: `dt=2013-01-01/hm=10:00`, by fields of its value, as Hive names partitions.
//!
//! Invariant: whatever a value says, each field names one folder, of a name that a file system takes: what could lead elsewhere is escaped, and what is too long
//! ends in its hash.

use crate::settings::SettingsError;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use weir_engine::{EngineError, ErrorKind};
use xxhash_rust::xxh3::xxh3_64;

/// The folder of records in which the field is absent, null or empty.
pub(super) const DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";
/// Folders one in the other at most.
pub(super) const FIELDS_MAX: usize = 8;
/// Bytes of a field's name at most.
const NAME_BYTES: usize = 60;
/// Bytes of a value's folder, behind the `=`, above which it is cut: with the name it is less than the 255 that file systems take.
const VALUE_BYTES: usize = 160;
/// Signs that mean something to a file system, to a pattern or to whoever reads the name; so do control characters.
const ESCAPED: [char; 13] = ['"', '#', '%', '\'', '*', '/', '=', '?', '\\', '{', '[', ']', '^'];

/// The fields of a record's value that name its folder; without any it lies in the sink's.
#[derive(Clone, Debug, Default)]
pub(super) struct PartitionBy {
    fields: Vec<String>,
    /// The folders' names up to and with the `=`.
    prefixes: Vec<String>,
    /// Which of the fields have been there, in any record of any writer.
    met: Arc<MetFields>,
}

/// Fields that have been met, by their places.
#[derive(Debug, Default)]
struct MetFields {
    met: [AtomicBool; FIELDS_MAX],
    /// Somebody has been told of those that have not.
    is_told: AtomicBool,
}

impl PartitionBy {
    /// By these fields.
    pub fn new(fields: Vec<String>) -> Result<Self, SettingsError> {
        let refused = |what: String, hint: &str| Err(SettingsError::at("partition-by", what).with_hint(hint));
        if fields.len() > FIELDS_MAX {
            return refused(format!("`partition-by` names {} fields, and {FIELDS_MAX} are the most", fields.len()), "name fewer");
        }
        let mut prefixes = Vec::new();
        for (place, field) in fields.iter().enumerate() {
            let mut prefix = String::new();
            escape(field, &mut prefix);
            if field.is_empty() || prefix.len() > NAME_BYTES {
                return refused(format!("`partition-by` names the field {field:?}"), "a field's name has 1 to 60 bytes");
            }
            if fields[..place].contains(field) {
                return refused(format!("`partition-by` names `{field}` twice"), "name each field once");
            }
            prefixes.push(prefix + "=");
        }
        Ok(Self { fields, prefixes, met: Arc::default() })
    }

    /// The fields that no record has had so far, not even as null; nothing from the second time on that there are some.
    pub fn take_unmet(&self) -> Vec<&str> {
        let fields = self.fields.iter().zip(&self.met.met);
        let unmet: Vec<&str> = fields.filter(|(_, met)| !met.load(Ordering::Relaxed)).map(|(field, _)| field.as_str()).collect();
        if unmet.is_empty() || self.met.is_told.swap(true, Ordering::Relaxed) { Vec::new() } else { unmet }
    }

    /// True where all records lie in the sink's folder.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// How many folders lie in each other.
    pub fn depth(&self) -> usize {
        self.fields.len()
    }

    /// Puts the folder of a record with this value into `folder`, relative to the sink's.
    pub fn folder(&self, value: Option<&[u8]>, folder: &mut String) -> Result<(), EngineError> {
        folder.clear();
        let value = value.ok_or_else(|| refused("it has no value", b""))?;
        let mut found = vec![None; self.fields.len()];
        let mut reader = serde_json::Deserializer::from_slice(value);
        let read =
            Fields { names: &self.fields, found: &mut found, met: &self.met.met }.deserialize(&mut reader).and_then(|()| reader.end());
        read.map_err(|error| refused(&format!("its value is no JSON object that says: {error}"), value))?;
        for (prefix, found) in self.prefixes.iter().zip(found) {
            if !folder.is_empty() {
                folder.push('/');
            }
            folder.push_str(prefix);
            name_of(found.as_deref().unwrap_or_default(), folder);
        }
        Ok(())
    }
}

fn refused(why: &str, value: &[u8]) -> EngineError {
    let shown = value[..value.len().min(80)].escape_ascii();
    EngineError::new(ErrorKind::FixInput, format!("find the partition of a record: {why}: {shown}")).with_hint(
        "`partition-by` names fields of values that are JSON objects; what a field says is a text, a number, true, false or null",
    )
}

/// Adds the name that a value gives its folder.
fn name_of(value: &str, name: &mut String) {
    let begins = name.len();
    match value {
        "" => return name.push_str(DEFAULT_PARTITION),
        // A value that is called so is another.
        DEFAULT_PARTITION => name.push_str("%5F_HIVE_DEFAULT_PARTITION__"),
        _ => escape(value, name),
    }
    if name.len() - begins > VALUE_BYTES {
        let mut end = begins + VALUE_BYTES;
        while !name.is_char_boundary(end) || name.as_bytes()[end - 2..end].contains(&b'%') {
            end -= 1;
        }
        name.truncate(end);
        name.push_str(&format!("~{:016x}", xxh3_64(value.as_bytes())));
    }
}

/// Adds a text, with `%` and two hex digits in the place of signs that a folder's name should not have.
fn escape(text: &str, name: &mut String) {
    for (place, sign) in text.chars().enumerate() {
        // One in front hides what it names from many a reader.
        let hides = place == 0 && matches!(sign, '.');
        if sign.is_control() || hides || ESCAPED.contains(&sign) {
            let mut bytes = [0; 4];
            sign.encode_utf8(&mut bytes).bytes().for_each(|byte| name.push_str(&format!("%{byte:02X}")));
        } else {
            name.push(sign);
        }
    }
}

/// Reads the fields of these names out of an object; of one that is there twice, the last.
struct Fields<'f> {
    names: &'f [String],
    found: &'f mut [Option<String>],
    met: &'f [AtomicBool],
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(Field(self.names))? {
            match field {
                Some(place) => {
                    self.found[place] = map.next_value_seed(Scalar(&self.names[place]))?;
                    // What all writers share is written to once, and then only looked at.
                    if !self.met[place].load(Ordering::Relaxed) {
                        self.met[place].store(true, Ordering::Relaxed);
                    }
                }
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

/// Reads a key: its place among these names, or that it is another.
struct Field<'f>(&'f [String]);

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Field<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|own| own == name))
    }
}

/// Reads what the field of this name says; `None`: null.
struct Scalar<'f>(&'f str);

impl<'de> DeserializeSeed<'de> for Scalar<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text, a number, true, false or null in `{}`", self.0)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Option<String>, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<String>, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<String>, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<String>, E> {
        Ok(Some(serde_json::Value::from(value).to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Option<String>, E> {
        Ok(Some(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Option<String>, A::Error> {
        Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Option<String>, A::Error> {
        Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(fields: &[&str]) -> PartitionBy {
        PartitionBy::new(fields.iter().map(|field| (*field).to_owned()).collect()).expect("fine fields")
    }

    fn folder(fields: &[&str], value: &str) -> Result<String, String> {
        let mut folder = "of the record before".to_owned();
        by(fields).folder(Some(value.as_bytes()), &mut folder).map(|()| folder).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(value: &str, expect: &str) {
        assert_eq!(folder(&["f"], &format!("{{\"f\":{value}}}")).as_deref(), Ok(format!("f={expect}").as_str()));
    }

    #[test]
    fn a_field_that_no_record_has_is_told_once_whichever_writer_asks() {
        let sinks = by(&["dt", "tenant", "shop.id"]);
        let (one, other) = (sinks.clone(), sinks.clone());
        let write = |by: &PartitionBy, value: &str| by.folder(Some(value.as_bytes()), &mut String::new()).expect("an object");
        write(&one, "{\"dt\":\"2013-01-01\",\"shop\":{\"id\":1}}");
        write(&other, "{\"tenant\":null}");
        assert_eq!([one.take_unmet(), other.take_unmet()], [vec!["shop.id"], vec![]]);
        let all = by(&["dt"]);
        write(&all, "{\"dt\":\"\"}");
        assert_eq!((all.take_unmet(), by(&[]).take_unmet()), (vec![], vec![]));
    }

    #[test]
    fn fields_name_folders_in_their_order() {
        let value = "{\"hm\":\"10:00\",\"price\":{\"dt\":1},\"dt\":\"2013-01-01\"}";
        assert_eq!(folder(&["dt", "hm"], value).as_deref(), Ok("dt=2013-01-01/hm=10:00"));
        assert_eq!(folder(&["hm"], value).as_deref(), Ok("hm=10:00"));
        assert_eq!(folder(&["f"], "{\"f\":1,\"f\":2}").as_deref(), Ok("f=2"), "the last of two");
        check("5", "5");
        check("-1.50", "-1.5");
        check("18446744073709551615", "18446744073709551615");
        check("true", "true");
        check("\"München\"", "München");
        check("\"a b\"", "a b");
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        check("\"..\"", "%2E.");
        check("\".\"", "%2E");
        check("\"a.b\"", "a.b");
        check("\"/etc/passwd\"", "%2Fetc%2Fpasswd");
        check("\"../../x\"", "%2E.%2F..%2Fx");
        check("\"a\\\\b=c%d\"", "a%5Cb%3Dc%25d");
        check("\"\\u0000\\n\\u007f\\u0085\"", "%00%0A%7F%C2%85");
        check("\"*?[x]{y}\"", "%2A%3F%5Bx%5D%7By}");
        assert_eq!(folder(&["../x"], "{\"../x\":1}").as_deref(), Ok("%2E.%2Fx=1"));
    }

    #[test]
    fn what_is_null_absent_or_empty_has_a_folder_of_its_own() {
        check("null", "__HIVE_DEFAULT_PARTITION__");
        check("\"\"", "__HIVE_DEFAULT_PARTITION__");
        assert_eq!(folder(&["f"], "{}").as_deref(), Ok("f=__HIVE_DEFAULT_PARTITION__"));
        check("\"__HIVE_DEFAULT_PARTITION__\"", "%5F_HIVE_DEFAULT_PARTITION__");
    }

    #[test]
    fn long_values_are_cut_and_stay_apart() {
        let of = |value: &str| folder(&["f"], &format!("{{\"f\":\"{value}\"}}")).expect("a folder");
        let long = "x".repeat(160);
        assert_eq!(of(&long), format!("f={long}"));
        for long in ["x".repeat(161), "x".repeat(10_000), "é".repeat(200), "%".repeat(500), format!("x{}", "%".repeat(500))] {
            let cut = of(&long);
            assert!(cut.len() <= 2 + 160 + 17 && cut.contains('~'), "{cut}");
            assert_ne!(cut, of(&format!("{long}y")));
            let escapes = cut[2..].split('~').next().expect("a name");
            assert!(escapes.split('%').skip(1).all(|behind| behind.starts_with("25") && behind.len() == 2), "no half sign: {cut}");
        }
        let longest = by(&["n".repeat(60).as_str()]).prefixes[0].len() + 160 + 17;
        assert!(longest <= 255, "what file systems take");
    }

    #[test]
    fn a_value_without_fields_is_refused_with_what_it_is() {
        for (value, why) in
            [("plain", "expected value"), ("[1]", "an object"), ("{\"f\":[1]}", "in `f`"), ("{\"f\":{}}", "in `f`"), ("{} x", "trailing")]
        {
            let error = folder(&["f"], value).unwrap_err();
            assert!(
                error.starts_with("find the partition of a record: its value is no JSON object that says") && error.contains(why),
                "{error}"
            );
        }
        assert!(by(&["f"]).folder(None, &mut String::new()).unwrap_err().to_string().contains("it has no value"));
    }

    #[test]
    fn fields_that_cannot_name_folders_are_refused() {
        let refused = |fields: Vec<String>| PartitionBy::new(fields).err().map(|error| error.message);
        let text = |text: &str| text.to_owned();
        assert_eq!(refused(vec![text("a"), text("a")]).as_deref(), Some("`partition-by` names `a` twice"));
        assert_eq!(refused(vec![text("")]).as_deref(), Some("`partition-by` names the field \"\""));
        assert!(refused(vec!["x".repeat(61)]).is_some());
        assert!(refused((0..9).map(|n| n.to_string()).collect()).is_some_and(|why| why.contains("names 9 fields, and 8 are the most")));
        assert_eq!(refused(vec![text("a"), text("b")]), None);
    }
}
