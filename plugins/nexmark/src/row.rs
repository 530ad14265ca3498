//! Lines of JSON, written in place.

use crate::event::{Bid, BidTexts};
use weir_guest::append;

/// An object that is being written, field by field: `Row::new(out).number("auction", 1000).end()`.
pub struct Row<'a> {
    out: &'a mut Vec<u8>,
    /// What stands in front of the next field.
    before: u8,
}

impl<'a> Row<'a> {
    /// Begins one.
    #[inline(always)]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, before: b'{' }
    }

    /// Goes on with one whose first fields are in `begun`, as [`Self::begun`] left them.
    #[inline]
    pub fn on(out: &'a mut Vec<u8>, begun: &[u8]) -> Self {
        append(out, begun);
        Self { out, before: b',' }
    }

    /// Begins fields that another row takes in.
    pub fn further(out: &'a mut Vec<u8>) -> Self {
        Self { out, before: b',' }
    }

    /// Takes in fields that [`Self::further`] began.
    #[inline]
    pub fn fields(self, further: &[u8]) -> Self {
        append(self.out, further);
        self
    }

    #[inline(always)]
    fn name(&mut self, name: &'static str) {
        append(self.out, &[self.before, b'"']);
        append(self.out, name.as_bytes());
        append(self.out, b"\":");
        self.before = b',';
    }

    /// Adds a whole number.
    #[inline]
    pub fn number(mut self, name: &'static str, value: u64) -> Self {
        self.name(name);
        append(self.out, itoa::Buffer::new().format(value).as_bytes());
        self
    }

    /// Adds a time, ms since the Unix epoch.
    #[inline]
    pub fn time(mut self, name: &'static str, value: i64) -> Self {
        self.name(name);
        append(self.out, itoa::Buffer::new().format(value).as_bytes());
        self
    }

    /// Adds a number with three digits behind the point, of which `value` is the thousandths.
    #[inline]
    pub fn thousandths(mut self, name: &'static str, value: u64) -> Self {
        self.name(name);
        append(self.out, itoa::Buffer::new().format(value / 1000).as_bytes());
        let digit = |place: u64| b'0' + (value / place % 10) as u8;
        append(self.out, &[b'.', digit(100), digit(10), digit(1)]);
        self
    }

    /// Adds a text. What of it is no UTF-8 becomes U+FFFD.
    #[inline]
    pub fn text(mut self, name: &'static str, value: &[u8]) -> Self {
        self.name(name);
        self.out.push(b'"');
        match is_plain(value) {
            true => append(self.out, value),
            false => escape(self.out, value),
        }
        self.out.push(b'"');
        self
    }

    /// Ends the object.
    #[inline]
    pub fn end(self) {
        self.out.push(b'}');
    }

    /// Leaves it as it is, to go on with it elsewhere.
    pub fn begun(self) {}
}

/// Adds all of a bid.
#[inline]
pub fn bid_row<'a>(row: Row<'a>, bid: &Bid<'_>, texts: &BidTexts<'_>) -> Row<'a> {
    let row = row.number("auction", bid.auction).number("bidder", bid.bidder).number("price", bid.price);
    row.text("channel", texts.channel).text("url", texts.url).time("dateTime", bid.time).text("extra", texts.extra)
}

/// True where nothing has to be escaped, and all is ASCII; eight bytes at a time.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let (words, rest) = text.as_chunks::<8>();
    let any_below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word;
    let odd = |word: u64| {
        let quote = any_below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = any_below(word ^ (ONES * u64::from(b'\\')), 1);
        (word | any_below(word, 0x20) | quote | backslash) & HIGH
    };
    let seen = words.iter().fold(0, |seen, word| seen | odd(u64::from_le_bytes(*word)));
    seen == 0 && rest.iter().all(|byte| matches!(byte, 0x20..0x80) && *byte != b'"' && *byte != b'\\')
}

#[cold]
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    for sign in String::from_utf8_lossy(text).chars() {
        match sign {
            '"' | '\\' => out.extend([b'\\', sign as u8]),
            '\0'..' ' => out.extend(format!("\\u{:04x}", sign as u32).bytes()),
            sign => out.extend(sign.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_an_object_with_its_fields_in_order() {
        let mut out = Vec::new();
        Row::new(&mut out).number("auction", 1000).thousandths("price", 90_800).time("dateTime", -5).text("extra", b"abc").end();
        assert_eq!(out, br#"{"auction":1000,"price":90.800,"dateTime":-5,"extra":"abc"}"#);
        let mut begun = Vec::new();
        Row::new(&mut begun).text("name", b"Kate").begun();
        let mut out = Vec::new();
        Row::on(&mut out, &begun).number("id", 7).end();
        assert_eq!(out, br#"{"name":"Kate","id":7}"#);
    }

    #[test]
    fn what_json_has_no_place_for_is_escaped_wherever_it_stands() {
        for place in 0..20 {
            let check = |byte: &[u8], expect: &str| {
                let mut text = vec![b'x'; 20];
                text.splice(place..place + 1, byte.iter().copied());
                let mut out = Vec::new();
                Row::new(&mut out).text("t", &text).end();
                let expect = format!("{{\"t\":\"{}{expect}{}\"}}", "x".repeat(place), "x".repeat(19 - place));
                assert_eq!(String::from_utf8_lossy(&out), expect);
            };
            check(b"\"", "\\\"");
            check(b"\\", "\\\\");
            check(b"\n", "\\u000a");
            check(b"\x1f", "\\u001f");
            check(b" ", " ");
            check(b"\x7f", "\x7f");
            check("ü".as_bytes(), "ü");
            check(b"\xff", "\u{fffd}");
        }
    }
}
