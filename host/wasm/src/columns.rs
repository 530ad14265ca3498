//! Columns as they cross: integers are little-endian bytes, and nothing that comes from a guest is a column until it has been checked.

use crate::bindings::weir::operator::types::{ColumnParam, ColumnResult};
use bytemuck::Pod;
use weir_engine::Column;

#[cfg(target_endian = "big")]
compile_error!("integers cross the boundary as little-endian bytes, which are copied as they are");

/// The integers in `bytes`, or what is wrong with them.
pub(crate) fn integers<T: Pod>(bytes: &[u8]) -> Result<Vec<T>, String> {
    let size = size_of::<T>();
    if !bytes.len().is_multiple_of(size) {
        return Err(format!("{} bytes are no multiple of {size}", bytes.len()));
    }
    let mut integers = vec![T::zeroed(); bytes.len() / size];
    bytemuck::cast_slice_mut(&mut integers).copy_from_slice(bytes);
    Ok(integers)
}

/// A guest's column. The bytes are taken over, not copied.
pub(crate) fn column(column: ColumnResult) -> Result<Column, String> {
    let ends = integers(&column.ends).map_err(|what| format!("ends: {what}"))?;
    Column::from_parts(column.data, ends).map_err(|error| error.to_string())
}

/// A column for a guest, without a copy.
pub(crate) fn lent(column: &Column) -> ColumnParam<'_> {
    ColumnParam { data: column.data(), ends: bytemuck::cast_slice(column.ends()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_that_are_cut_off_are_refused() {
        assert_eq!(integers::<u32>(&[1, 0, 0, 0, 2, 0, 0, 0]), Ok(vec![1, 2]));
        assert_eq!(integers::<i64>(&[0; 12]), Err("12 bytes are no multiple of 8".into()));
    }

    #[test]
    fn a_column_whose_ends_fall_or_overrun_is_refused() {
        let made = |ends: &[u32]| column(ColumnResult { data: vec![0; 4], ends: bytemuck::cast_slice(ends).to_vec() });
        assert_eq!(made(&[1, 4]).unwrap().len(), 2);
        assert!(made(&[3, 2]).unwrap_err().contains("smaller than the end before"));
        assert!(made(&[1, 5]).unwrap_err().contains("but there are 4 bytes"));
    }
}
