//! What becomes of two values: counts are added up, and other values are instructions, or put one behind the other.

use crate::columns::Items;
use crate::weir::operator::logging::{Level, log};
use crate::weir::operator::types::Column;
use crate::{COUNT, spin};

/// For each pair the value of both. `before`: how often this instance has been called.
pub fn merged(state: u32, earlier: &[Vec<u8>], later: &[Vec<u8>], before: u32) -> Result<Column, String> {
    let mut merged = Items::default();
    for (earlier, later) in earlier.iter().zip(later) {
        match (earlier.first_chunk(), later.first_chunk()) {
            (Some(one), Some(other)) if state == COUNT && earlier.len() == 8 => {
                merged.push(&(u64::from_le_bytes(*one) + u64::from_le_bytes(*other)).to_le_bytes());
            }
            _ => match earlier.as_slice() {
                b"trap" => panic!("told to trap"),
                b"spin" => spin(),
                b"refuse" => return Err("these two do not go together".into()),
                b"log" => log(Level::Info, "merge may not"),
                b"few" => {}
                b"ends" => {
                    let Column { data, .. } = Items::default().column();
                    return Ok(Column { data, ends: vec![1; 4] });
                }
                b"calls" => merged.push(before.to_string().as_bytes()),
                _ => merged.push(&[&earlier[..], b"+", later].concat()),
            },
        }
    }
    Ok(merged.column())
}
