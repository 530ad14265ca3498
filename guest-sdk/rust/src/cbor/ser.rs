//! The encoder: serde's data model to bytes.

use super::float::write_float;
use super::head::{ARRAY, BYTES, FALSE, MAP, NEGATIVE, NULL, TEXT, TRUE, UNSIGNED, write_head};
use super::map::MapWriter;
use super::{CborError, MAX_DEPTH};
use serde::ser::{self, Serialize};

/// Appends to `out`.
pub(super) struct Encoder<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) depth: usize,
}

impl Encoder<'_> {
    /// An encoder for what lies `levels` below the item that is being written.
    fn inside(&mut self, levels: usize) -> Result<Encoder<'_>, CborError> {
        let depth = self.depth + levels;
        if depth > MAX_DEPTH {
            return Err(CborError::new(format_args!("the value is nested deeper than {MAX_DEPTH}")));
        }
        Ok(Encoder { out: self.out, depth })
    }

    fn signed(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => write_head(self.out, UNSIGNED, value),
            Err(_) => write_head(self.out, NEGATIVE, !value as u64),
        }
    }

    fn case(&mut self, name: &str) {
        write_head(self.out, MAP, 1);
        self.text(name);
    }

    fn text(&mut self, text: &str) {
        write_head(self.out, TEXT, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Items that follow; `None` where their number shows only at the end.
    fn array(&mut self, items: Option<usize>, levels: usize) -> Result<Items<'_>, CborError> {
        let start = self.out.len();
        if let Some(items) = items {
            write_head(self.out, ARRAY, items as u64);
        }
        Ok(Items { announced: items, written: 0, start, encoder: self.inside(levels)? })
    }

    fn map(&mut self, entries: Option<usize>, levels: usize) -> Result<Entries<'_>, CborError> {
        let map = MapWriter::begin(self.out, entries);
        Ok(Entries { map, encoder: self.inside(levels)? })
    }
}

impl<'a, 'b> ser::Serializer for &'b mut Encoder<'a> {
    type Ok = ();
    type Error = CborError;
    type SerializeSeq = Items<'b>;
    type SerializeTuple = Items<'b>;
    type SerializeTupleStruct = Items<'b>;
    type SerializeTupleVariant = Items<'b>;
    type SerializeMap = Entries<'b>;
    type SerializeStruct = Entries<'b>;
    type SerializeStructVariant = Entries<'b>;

    fn serialize_bool(self, value: bool) -> Result<(), CborError> {
        self.out.push(if value { TRUE } else { FALSE });
        Ok(())
    }
    fn serialize_i8(self, value: i8) -> Result<(), CborError> {
        self.serialize_i64(value.into())
    }
    fn serialize_i16(self, value: i16) -> Result<(), CborError> {
        self.serialize_i64(value.into())
    }
    fn serialize_i32(self, value: i32) -> Result<(), CborError> {
        self.serialize_i64(value.into())
    }
    fn serialize_i64(self, value: i64) -> Result<(), CborError> {
        self.signed(value);
        Ok(())
    }
    fn serialize_u8(self, value: u8) -> Result<(), CborError> {
        self.serialize_u64(value.into())
    }
    fn serialize_u16(self, value: u16) -> Result<(), CborError> {
        self.serialize_u64(value.into())
    }
    fn serialize_u32(self, value: u32) -> Result<(), CborError> {
        self.serialize_u64(value.into())
    }
    fn serialize_u64(self, value: u64) -> Result<(), CborError> {
        write_head(self.out, UNSIGNED, value);
        Ok(())
    }
    fn serialize_f32(self, value: f32) -> Result<(), CborError> {
        self.serialize_f64(value.into())
    }
    fn serialize_f64(self, value: f64) -> Result<(), CborError> {
        write_float(self.out, value);
        Ok(())
    }
    fn serialize_char(self, value: char) -> Result<(), CborError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Result<(), CborError> {
        self.text(value);
        Ok(())
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), CborError> {
        write_head(self.out, BYTES, value.len() as u64);
        self.out.extend_from_slice(value);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), CborError> {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CborError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), CborError> {
        self.out.push(NULL);
        Ok(())
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), CborError> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<(), CborError> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<(), CborError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CborError> {
        self.case(variant);
        value.serialize(&mut self.inside(1)?)
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'b>, CborError> {
        self.array(len, 1)
    }
    fn serialize_tuple(self, len: usize) -> Result<Items<'b>, CborError> {
        self.array(Some(len), 1)
    }
    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<Items<'b>, CborError> {
        self.array(Some(len), 1)
    }
    fn serialize_tuple_variant(self, _name: &'static str, _index: u32, variant: &'static str, len: usize) -> Result<Items<'b>, CborError> {
        self.case(variant);
        self.array(Some(len), 2)
    }
    fn serialize_map(self, len: Option<usize>) -> Result<Entries<'b>, CborError> {
        self.map(len, 1)
    }
    fn serialize_struct(self, _name: &'static str, len: usize) -> Result<Entries<'b>, CborError> {
        self.map(Some(len), 1)
    }
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Entries<'b>, CborError> {
        self.case(variant);
        self.map(Some(len), 2)
    }
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The items of an array.
pub(super) struct Items<'a> {
    announced: Option<usize>,
    written: usize,
    start: usize,
    encoder: Encoder<'a>,
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CborError> {
        self.written += 1;
        value.serialize(&mut self.encoder)
    }

    fn finish(self) -> Result<(), CborError> {
        match self.announced {
            Some(announced) if announced == self.written => Ok(()),
            Some(announced) => Err(CborError::new(format_args!("{} items where {announced} were announced", self.written))),
            None => {
                let mut head = Vec::with_capacity(9);
                write_head(&mut head, ARRAY, self.written as u64);
                self.encoder.out.splice(self.start..self.start, head);
                Ok(())
            }
        }
    }
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = CborError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CborError> {
        self.item(value)
    }
    fn end(self) -> Result<(), CborError> {
        self.finish()
    }
}

impl ser::SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = CborError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CborError> {
        self.item(value)
    }
    fn end(self) -> Result<(), CborError> {
        self.finish()
    }
}

impl ser::SerializeTupleStruct for Items<'_> {
    type Ok = ();
    type Error = CborError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CborError> {
        self.item(value)
    }
    fn end(self) -> Result<(), CborError> {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for Items<'_> {
    type Ok = ();
    type Error = CborError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CborError> {
        self.item(value)
    }
    fn end(self) -> Result<(), CborError> {
        self.finish()
    }
}

/// The entries of a map.
pub(super) struct Entries<'a> {
    map: MapWriter,
    encoder: Encoder<'a>,
}

impl Entries<'_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CborError> {
        let start = self.encoder.out.len();
        key.serialize(&mut self.encoder)?;
        self.map.key_written(start, self.encoder.out);
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CborError> {
        value.serialize(&mut self.encoder)?;
        self.map.value_written(self.encoder.out);
        Ok(())
    }
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = CborError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CborError> {
        self.key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CborError> {
        self.value(value)
    }
    fn end(self) -> Result<(), CborError> {
        self.map.finish(self.encoder.out)
    }
}

impl ser::SerializeStruct for Entries<'_> {
    type Ok = ();
    type Error = CborError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CborError> {
        self.key(name)?;
        self.value(value)
    }
    fn end(self) -> Result<(), CborError> {
        self.map.finish(self.encoder.out)
    }
}

impl ser::SerializeStructVariant for Entries<'_> {
    type Ok = ();
    type Error = CborError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), CborError> {
        self.key(name)?;
        self.value(value)
    }
    fn end(self) -> Result<(), CborError> {
        self.map.finish(self.encoder.out)
    }
}
