//! What is kept of an aircraft, and how it is shown.

use weir_guest::{RawState, append};

/// The sums over an aircraft's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// Rows with a known arrival delay.
    pub flights: u64,
    /// The sum of the delays, in minutes.
    pub total_delay: i64,
}

/// Three little-endian numbers of 64 bits.
impl RawState for Totals {
    #[inline]
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return None };
        let [rows, flights, total_delay] = numbers else { return None };
        Some(Self { rows: u64::from_le_bytes(*rows), flights: u64::from_le_bytes(*flights), total_delay: i64::from_le_bytes(*total_delay) })
    }

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.rows.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.flights.to_le_bytes());
        bytes[16..].copy_from_slice(&self.total_delay.to_le_bytes());
        out.extend_from_slice(&bytes);
    }
}

impl Totals {
    /// The sums after one more row.
    #[inline]
    pub fn plus(self, delay: Option<i64>) -> Self {
        Self {
            rows: self.rows + 1,
            flights: self.flights + u64::from(delay.is_some()),
            total_delay: self.total_delay.saturating_add(delay.unwrap_or(0)),
        }
    }

    /// Appends `{"tailnum":"N14228","flights":1,"total_delay":11}`; `tailnum` is escaped already.
    #[inline]
    pub fn write_json(&self, tailnum: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"tailnum\":\"");
        append(out, tailnum);
        out.extend_from_slice(b"\",\"flights\":");
        push_number(out, self.flights);
        out.extend_from_slice(b",\"total_delay\":");
        push_number(out, self.total_delay);
        out.push(b'}');
    }

    /// Appends `N14228,1,11.00`: the mean has two decimals, halves rounded up, and is empty while no delay is known.
    #[inline]
    pub fn write_mean(&self, tailnum: &[u8], out: &mut Vec<u8>) {
        append(out, tailnum);
        out.push(b',');
        push_number(out, self.rows);
        out.push(b',');
        if let Some(hundredths) = self.mean_hundredths() {
            if hundredths < 0 {
                out.push(b'-');
            }
            push_number(out, hundredths.unsigned_abs() / 100);
            let rest = (hundredths.unsigned_abs() % 100) as u8;
            out.extend_from_slice(&[b'.', b'0' + rest / 10, b'0' + rest % 10]);
        }
    }

    /// The mean delay in hundredths of a minute.
    #[inline]
    fn mean_hundredths(&self) -> Option<i64> {
        let flights = i64::try_from(self.flights).ok().filter(|&flights| flights > 0)?;
        let twice = self.total_delay.saturating_mul(200).saturating_add(flights);
        Some(twice.div_euclid(flights.saturating_mul(2)))
    }
}

#[inline]
fn push_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    append(out, itoa::Buffer::new().format(number).as_bytes());
}
