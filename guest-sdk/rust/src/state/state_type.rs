//! The description of a state's type, in the grammar of `wit/schema.md`.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A type whose CBOR form can be described. `#[derive(StateType)]` beside serde's derives writes it for structs and enums.
///
/// A type that contains itself has no description; describing one panics. What changes the bytes in a way that the grammar does
/// not show is refused when the type is compiled:
///
/// ```compile_fail
/// #[derive(serde::Serialize, serde::Deserialize, weir_guest::StateType)]
/// struct Outer {
///     #[serde(flatten)]
///     inner: std::collections::BTreeMap<String, u64>,
/// }
/// ```
///
/// ```compile_fail
/// #[derive(serde::Serialize, serde::Deserialize, weir_guest::StateType)]
/// struct Hidden {
///     _name: u64,
/// }
/// ```
pub trait StateType {
    /// Writes the description of this type.
    fn describe(to: &mut Schema);
}

/// How deep descriptions nest: no deeper than values.
const MAX_DEPTH: usize = crate::cbor::MAX_DEPTH;

/// A description that is being written.
#[derive(Debug, Default)]
pub struct Schema {
    text: String,
    depth: usize,
}

impl Schema {
    /// The description of `T`.
    pub fn of<T: StateType>() -> String {
        Self::text(T::describe)
    }

    pub(super) fn text(describe: impl FnOnce(&mut Self)) -> String {
        let mut schema = Self::default();
        describe(&mut schema);
        schema.text
    }

    /// The description of a map state; one of raw keys or values is raw as a whole.
    pub(super) fn text_of_map(key: impl FnOnce(&mut Self), value: impl FnOnce(&mut Self)) -> String {
        let (key, value) = (Self::text(key), Self::text(value));
        if key == "raw" || value == "raw" { "raw".to_owned() } else { format!("map<{key},{value}>") }
    }

    /// A type that is a word of the grammar.
    pub fn scalar(&mut self, word: &str) {
        self.text.push_str(word);
    }

    /// The description of `T`, inside the one that is being written.
    pub fn nested<T: StateType + ?Sized>(&mut self) {
        assert!(self.depth < MAX_DEPTH, "{} is nested deeper than {MAX_DEPTH} or contains itself", std::any::type_name::<T>());
        self.depth += 1;
        T::describe(self);
        self.depth -= 1;
    }

    fn generic(&mut self, word: &str, arguments: &[fn(&mut Self)]) {
        self.text.push_str(word);
        self.text.push('<');
        for (index, argument) in arguments.iter().enumerate() {
            self.separate(index > 0);
            argument(self);
        }
        self.text.push('>');
    }

    fn separate(&mut self, comma: bool) {
        if comma {
            self.text.push(',');
        }
    }

    /// A tuple of what `write` names.
    pub fn tuple(&mut self, write: impl FnOnce(&mut Items<'_>)) {
        self.text.push_str("tuple<");
        write(&mut Items { to: self, any: false });
        self.text.push('>');
    }

    /// A record with the fields that `write` names.
    pub fn record(&mut self, name: &str, write: impl FnOnce(&mut Fields<'_>)) {
        self.text.push_str(name);
        self.text.push('{');
        write(&mut Fields { to: self, any: false });
        self.text.push('}');
    }

    /// An enum with the cases that `write` names.
    pub fn enumeration(&mut self, name: &str, write: impl FnOnce(&mut Cases<'_>)) {
        self.text.push_str(name);
        self.text.push('[');
        write(&mut Cases { to: self, any: false });
        self.text.push(']');
    }
}

/// The items of a tuple.
#[derive(Debug)]
pub struct Items<'a> {
    to: &'a mut Schema,
    any: bool,
}

impl Items<'_> {
    /// The next item.
    pub fn item<T: StateType>(&mut self) {
        self.to.separate(std::mem::replace(&mut self.any, true));
        self.to.nested::<T>();
    }
}

/// The fields of a record.
#[derive(Debug)]
pub struct Fields<'a> {
    to: &'a mut Schema,
    any: bool,
}

impl Fields<'_> {
    /// The next field.
    pub fn field<T: StateType>(&mut self, name: &str) {
        self.to.separate(std::mem::replace(&mut self.any, true));
        self.to.text.push_str(name);
        self.to.text.push(':');
        self.to.nested::<T>();
    }
}

/// The cases of an enum.
#[derive(Debug)]
pub struct Cases<'a> {
    to: &'a mut Schema,
    any: bool,
}

impl Cases<'_> {
    /// A case without a value.
    pub fn unit(&mut self, name: &str) {
        self.to.separate(std::mem::replace(&mut self.any, true));
        self.to.text.push_str(name);
    }

    /// A case whose value `write` describes.
    pub fn value(&mut self, name: &str, write: impl FnOnce(&mut Schema)) {
        self.unit(name);
        self.to.text.push('(');
        write(self.to);
        self.to.text.push(')');
    }
}

/// Bytes: a CBOR byte string, where `Vec<u8>` is an array of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

macro_rules! scalars {
    ($($type:ty = $word:literal),*) => {
        $(impl StateType for $type {
            fn describe(to: &mut Schema) {
                to.scalar($word);
            }
        })*
    };
}

scalars!(
    bool = "bool",
    u8 = "u8",
    u16 = "u16",
    u32 = "u32",
    u64 = "u64",
    i8 = "i8",
    i16 = "i16",
    i32 = "i32",
    i64 = "i64",
    f32 = "f32",
    f64 = "f64",
    String = "string",
    Bytes = "bytes",
    () = "unit"
);

impl<T: StateType> StateType for Vec<T> {
    fn describe(to: &mut Schema) {
        to.generic("list", &[Schema::nested::<T>]);
    }
}

impl<T: StateType> StateType for BTreeSet<T> {
    fn describe(to: &mut Schema) {
        to.generic("list", &[Schema::nested::<T>]);
    }
}

impl<K: StateType, V: StateType> StateType for BTreeMap<K, V> {
    fn describe(to: &mut Schema) {
        to.generic("map", &[Schema::nested::<K>, Schema::nested::<V>]);
    }
}

impl<K: StateType, V: StateType, S> StateType for HashMap<K, V, S> {
    fn describe(to: &mut Schema) {
        to.generic("map", &[Schema::nested::<K>, Schema::nested::<V>]);
    }
}

impl<T: StateType + ?Sized> StateType for Box<T> {
    fn describe(to: &mut Schema) {
        to.nested::<T>();
    }
}

/// Panics where `None` could not be told from a `Some` that is null as well.
impl<T: StateType> StateType for Option<T> {
    fn describe(to: &mut Schema) {
        to.text.push_str("option<");
        let start = to.text.len();
        to.nested::<T>();
        let inner = &to.text[start..];
        assert!(!(inner == "unit" || inner.starts_with("option<")), "option<{inner}> has two encodings of null");
        to.text.push('>');
    }
}

macro_rules! tuples {
    ($($($item:ident)+;)*) => {
        $(impl<$($item: StateType),+> StateType for ($($item,)+) {
            fn describe(to: &mut Schema) {
                to.generic("tuple", &[$(Schema::nested::<$item>),+]);
            }
        })*
    };
}

tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_types_are_described_in_the_grammar() {
        assert_eq!(Schema::of::<BTreeMap<String, u32>>(), "map<string,u32>");
        assert_eq!(Schema::of::<Vec<(Option<f64>, Bytes, bool)>>(), "list<tuple<option<f64>,bytes,bool>>");
        assert_eq!(Schema::text_of_map(Schema::nested::<u64>, Schema::nested::<Vec<()>>), "map<u64,list<unit>>");
    }

    #[test]
    #[should_panic(expected = "two encodings of null")]
    fn an_option_of_an_option_has_no_description() {
        Schema::of::<Option<Option<u8>>>();
    }

    #[test]
    #[should_panic(expected = "contains itself")]
    fn a_type_that_contains_itself_has_no_description() {
        struct Tree;
        impl StateType for Tree {
            fn describe(to: &mut Schema) {
                to.record("Tree", |fields| fields.field::<Vec<Tree>>("children"));
            }
        }
        Schema::of::<Tree>();
    }
}
