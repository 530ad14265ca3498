//! The decoder: bytes to serde's data model. It accepts the deterministic form and no other.

use super::float::read_float;
use super::head::{ARRAY, BYTES, FALSE, Head, MAP, NEGATIVE, NULL, SIMPLE, TAG, TEXT, TRUE, UNSIGNED, read_head, take};
use super::{CborError, MAX_DEPTH};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

/// Reads from the front of `input`.
pub(super) struct Decoder<'de> {
    input: &'de [u8],
    depth: usize,
}

impl<'de> Decoder<'de> {
    pub(super) fn new(input: &'de [u8]) -> Self {
        Self { input, depth: 0 }
    }

    /// All bytes have been read.
    pub(super) fn finish(self) -> Result<(), CborError> {
        match self.input.len() {
            0 => Ok(()),
            left => Err(CborError::new(format_args!("{left} bytes follow the value"))),
        }
    }

    /// Runs `read` one level deeper.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, CborError>) -> Result<T, CborError> {
        if self.depth == MAX_DEPTH {
            return Err(CborError::new(format_args!("the value is nested deeper than {MAX_DEPTH}")));
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn expect(&mut self, major: u8, what: &str) -> Result<u64, CborError> {
        let head = read_head(&mut self.input)?;
        if head.major == major {
            Ok(head.argument)
        } else {
            Err(CborError::new(format_args!("{} where {what} was expected", name_of(head))))
        }
    }

    fn text(&mut self, bytes: u64) -> Result<&'de str, CborError> {
        std::str::from_utf8(take(&mut self.input, bytes)?).map_err(|_| CborError::new("a text is not UTF-8"))
    }

    /// `items` items follow and `read` must take them all. Each is a byte at least.
    fn items<T>(&mut self, items: u64, read: impl FnOnce(&mut Items<'_, 'de>) -> Result<T, CborError>) -> Result<T, CborError> {
        if items > self.input.len() as u64 {
            return Err(CborError::new(format_args!("{items} items in {} bytes", self.input.len())));
        }
        self.inside(|decoder| {
            let mut inner = Items { decoder, left: items, previous_key: None };
            let value = read(&mut inner)?;
            match inner.left {
                0 => Ok(value),
                left => Err(CborError::new(format_args!("{left} more items than expected"))),
            }
        })
    }

    fn any<V: Visitor<'de>>(&mut self, head: Head, visitor: V) -> Result<V::Value, CborError> {
        match head.major {
            UNSIGNED => visitor.visit_u64(head.argument),
            NEGATIVE => match i64::try_from(head.argument) {
                Ok(magnitude) => visitor.visit_i64(!magnitude),
                Err(_) => Err(CborError::new(format_args!("-1-{} is below the 64-bit integers", head.argument))),
            },
            BYTES => visitor.visit_borrowed_bytes(take(&mut self.input, head.argument)?),
            TEXT => visitor.visit_borrowed_str(self.text(head.argument)?),
            ARRAY => self.items(head.argument, |items| visitor.visit_seq(items)),
            MAP => self.items(head.argument, |items| visitor.visit_map(items)),
            SIMPLE => match SIMPLE << 5 | head.info {
                FALSE => visitor.visit_bool(false),
                TRUE => visitor.visit_bool(true),
                NULL => visitor.visit_unit(),
                0xf9..=0xfb => visitor.visit_f64(read_float(head.info, head.argument)?),
                _ => Err(CborError::new(format_args!("the simple value {} has no meaning here", head.argument))),
            },
            _ => Err(CborError::new(format_args!("{} is not used here", name_of(head)))),
        }
    }
}

/// What an item is called in errors.
fn name_of(head: Head) -> &'static str {
    match head.major {
        UNSIGNED | NEGATIVE => "an integer",
        BYTES => "bytes",
        TEXT => "a text",
        ARRAY => "an array",
        MAP => "a map",
        TAG => "a tag",
        _ => "a simple value or float",
    }
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'de> {
    type Error = CborError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CborError> {
        let head = read_head(&mut self.input)?;
        self.any(head, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CborError> {
        if self.input.first() == Some(&NULL) {
            self.input = &self.input[1..];
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, CborError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, CborError> {
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CborError> {
        let head = read_head(&mut self.input)?;
        match (head.major, head.argument) {
            (TEXT, bytes) => visitor.visit_enum(self.text(bytes)?.into_deserializer()),
            (MAP, 1) => self.inside(|decoder| visitor.visit_enum(Case { decoder })),
            _ => Err(CborError::new(format_args!("{} where a case was expected: its name, or a map of one entry", name_of(head)))),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// What is left of an array or map.
struct Items<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: u64,
    /// Of a map: the encoding of the key before, which the next one must follow.
    previous_key: Option<&'de [u8]>,
}

impl<'de> Items<'_, 'de> {
    fn size(&self) -> Option<usize> {
        usize::try_from(self.left).ok()
    }
}

impl<'de> de::SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = CborError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, CborError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.size()
    }
}

impl<'de> de::MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = CborError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, CborError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let before = self.decoder.input;
        let key = seed.deserialize(&mut *self.decoder)?;
        let encoded = &before[..before.len() - self.decoder.input.len()];
        if self.previous_key.is_some_and(|previous| previous >= encoded) {
            return Err(CborError::new("the keys of a map are not in order, or one stands twice"));
        }
        self.previous_key = Some(encoded);
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, CborError> {
        seed.deserialize(&mut *self.decoder)
    }

    fn size_hint(&self) -> Option<usize> {
        self.size()
    }
}

/// A case with a value: the one entry of a map.
struct Case<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
}

impl<'de> de::EnumAccess<'de> for Case<'_, 'de> {
    type Error = CborError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), CborError> {
        let bytes = self.decoder.expect(TEXT, "the name of a case")?;
        let name = self.decoder.text(bytes)?;
        let variant = seed.deserialize(IntoDeserializer::<CborError>::into_deserializer(name))?;
        Ok((variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for Case<'_, 'de> {
    type Error = CborError;

    fn unit_variant(self) -> Result<(), CborError> {
        Err(CborError::new("a case without a value stands as its name alone"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, CborError> {
        seed.deserialize(self.decoder)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, CborError> {
        let items = self.decoder.expect(ARRAY, "the fields of a case")?;
        self.decoder.items(items, |items| visitor.visit_seq(items))
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value, CborError> {
        let entries = self.decoder.expect(MAP, "the fields of a case")?;
        self.decoder.items(entries, |entries| visitor.visit_map(entries))
    }
}
