//! Picks fields out of a JSON object as they are written, so that no digit of a number is lost and nothing is read that nobody asks for.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;

/// The fields that are wanted of each object.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    /// For a field of the object the places that it is wanted for.
    places: HashMap<String, Vec<usize>>,
    /// For each place the fields that lead on from there.
    further: Vec<Vec<String>>,
}

impl Fields {
    /// Those at the ends of these paths.
    pub(super) fn of<'a>(paths: impl Iterator<Item = &'a [String]>) -> Self {
        let mut fields = Self { places: HashMap::new(), further: Vec::new() };
        for path in paths {
            let Some((first, further)) = path.split_first() else { continue };
            fields.places.entry(first.clone()).or_default().push(fields.further.len());
            fields.further.push(further.to_vec());
        }
        fields
    }

    /// What each path leads to in `object`, as it is written; `None`: to nothing. Of two fields of one name the last one counts.
    pub(super) fn pick<'o>(&self, object: &'o [u8]) -> Result<Vec<Option<&'o str>>, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(object);
        let mut picked = Pick(self).deserialize(&mut deserializer)?;
        deserializer.end()?;
        for (found, further) in picked.iter_mut().zip(&self.further) {
            for name in further {
                *found = found.and_then(|object| within(object, name));
            }
        }
        Ok(picked)
    }
}

/// A field of an object that is written in another; `None`: it has none, or is none.
fn within<'o>(object: &'o str, name: &str) -> Option<&'o str> {
    let name = [name.to_owned()];
    Fields::of([&name[..]].into_iter()).pick(object.as_bytes()).ok()?.pop()?
}

struct Pick<'f>(&'f Fields);

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Vec<Option<&'de str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Vec<Option<&'de str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = vec![None; self.0.further.len()];
        while let Some(places) = map.next_key_seed(Wanted(self.0))? {
            match places {
                Some(places) => {
                    let value = map.next_value::<&'de RawValue>()?.get();
                    places.iter().for_each(|place| found[*place] = Some(value));
                }
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(found)
    }
}

/// The places that a name is wanted for.
struct Wanted<'f>(&'f Fields);

impl<'de, 'f> DeserializeSeed<'de> for Wanted<'f> {
    type Value = Option<&'f [usize]>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'f> Visitor<'_> for Wanted<'f> {
    type Value = Option<&'f [usize]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.places.get(name).map(Vec::as_slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick<'o>(paths: &[&[&str]], object: &'o str) -> Result<Vec<Option<&'o str>>, serde_json::Error> {
        let paths: Vec<Vec<String>> = paths.iter().map(|path| path.iter().map(|name| (*name).to_owned()).collect()).collect();
        Fields::of(paths.iter().map(Vec::as_slice)).pick(object.as_bytes())
    }

    #[test]
    fn a_field_is_as_it_is_written() {
        let object = r#" { "a": 1.000000000000000000001 , "b" : {"c":[1, 2]}, "\u0064": "x\n", "a2": null }"#;
        let found = pick(&[&["a"], &["b", "c"], &["d"], &["a2"], &["e"], &["a", "x"], &["b"]], object).unwrap();
        let expect = [Some("1.000000000000000000001"), Some("[1, 2]"), Some(r#""x\n""#), Some("null"), None, None, Some(r#"{"c":[1, 2]}"#)];
        assert_eq!(found, expect);
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        for text in ["", "5", "[]", "{\"a\":1", "{\"a\":1} x", "{\"a\":}"] {
            assert!(pick(&[&["a"]], text).is_err(), "{text}");
        }
    }
}
