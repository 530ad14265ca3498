//! A record that says for itself what it is made of; what it does not say it has from the record that it comes from.

/// A record to emit with [`Context::emit_record`](crate::Context::emit_record): `NewRecord::new("14").key(b"N14228").at(1_000)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    pub(crate) value: Option<&'a [u8]>,
    /// `None`: the key of the record that it comes from.
    pub(crate) key: Option<Option<&'a [u8]>>,
    pub(crate) timestamp: Option<Option<i64>>,
    pub(crate) headers: Option<&'a [(&'a [u8], &'a [u8])]>,
}

impl<'a> NewRecord<'a> {
    /// A record with this value.
    pub fn new(value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { value: Some(value.as_ref()), ..Self::default() }
    }

    /// A record without a value: the delete of a keyed stream.
    pub fn absent() -> Self {
        Self::default()
    }

    /// The same under this key.
    pub fn key(self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { key: Some(Some(key.as_ref())), ..self }
    }

    /// The same without a key.
    pub fn keyless(self) -> Self {
        Self { key: Some(None), ..self }
    }

    /// The same at this event time, ms since the Unix epoch.
    pub fn at(self, timestamp: i64) -> Self {
        Self { timestamp: Some(Some(timestamp)), ..self }
    }

    /// The same without an event time.
    pub fn timeless(self) -> Self {
        Self { timestamp: Some(None), ..self }
    }

    /// The same with these headers, names and values, and no others.
    pub fn headers(self, headers: &'a [(&'a [u8], &'a [u8])]) -> Self {
        Self { headers: Some(headers), ..self }
    }
}
