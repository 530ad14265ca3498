//! States whose values merge where windows become one, as those of sessions do.
//!
//! The state says how with a function of two values, which is what the host asks for and all that the operator may see of it: there is no instance then, and no host.

use super::{Codec, MapState, Place, ValueState};
use crate::bindings::weir::operator::types::Column;
use crate::columns::{empty_column, items, push_item};
use crate::error::{Error, Result};

/// A state that `#[state(merge = …)]` can be said of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no values of which two become one",
    note = "`merge` is for `ValueState` and `MapState`; lists stand one behind the other, and need none"
)]
pub trait MergingState {
    /// A value: of a map that of an entry.
    type Value;

    /// For each pair of encoded values what `merge` makes of them.
    fn merge(
        name: &'static str,
        merge: impl Fn(Self::Value, Self::Value) -> Self::Value,
        earlier: &Column,
        later: &Column,
    ) -> Result<Column>;
}

impl<T, C: Codec<T>> MergingState for ValueState<T, C> {
    type Value = T;

    fn merge(name: &'static str, merge: impl Fn(T, T) -> T, earlier: &Column, later: &Column) -> Result<Column> {
        merged::<T, C>(name, merge, earlier, later)
    }
}

impl<K, V, C: Codec<V>> MergingState for MapState<K, V, C> {
    type Value = V;

    fn merge(name: &'static str, merge: impl Fn(V, V) -> V, earlier: &Column, later: &Column) -> Result<Column> {
        merged::<V, C>(name, merge, earlier, later)
    }
}

fn merged<T, C: Codec<T>>(name: &'static str, merge: impl Fn(T, T) -> T, earlier: &Column, later: &Column) -> Result<Column> {
    let place = Place::new(0, name);
    let read = |bytes: &[u8]| C::decode(bytes).map_err(|error| place.failed("decode, to merge,", error));
    let (mut both, mut encoded) = (empty_column(), Vec::new());
    let (earlier, later) = (items(earlier), items(later));
    if earlier.len() != later.len() {
        return Err(Error::new(format_args!("merge state `{name}`: {} values and {} are no pairs", earlier.len(), later.len())));
    }
    for (earlier, later) in earlier.zip(later) {
        encoded.clear();
        C::encode(&merge(read(earlier)?, read(later)?), &mut encoded).map_err(|error| place.failed("encode, merged,", error))?;
        push_item(&mut both, &encoded);
    }
    Ok(both)
}
