//! One field and the lies that its type allows.

use super::wit;

/// A field of some effects.
pub(super) struct Field<'a> {
    /// The element that it is of, as errors name it: `output 0`, `state 3`.
    pub(super) of: String,
    /// Its name in the wit, from the list on: `lists.popped.keys`.
    pub(super) name: String,
    /// What can be said in its place.
    pub(super) lies: Vec<Lie>,
    place: Place<'a>,
}

/// Something wrong that is said in a field's place, and how it is refused.
pub(super) struct Lie {
    what: &'static str,
    said: Said,
    expect: String,
}

enum Place<'a> {
    Number(&'a mut u32),
    Bytes(&'a mut Vec<u8>),
    Column(&'a mut wit::ColumnResult),
    Text(&'a mut String),
    /// Any value is right.
    Free,
}

enum Said {
    Number(u32),
    Bytes(Vec<u8>),
    Column(wit::ColumnResult),
    Text(String),
}

/// Which of two parallel lists is counted against the other.
#[derive(Clone, Copy)]
pub(super) enum Count<'a> {
    /// The other, which has so many items, is named: `values has 2 items where there have to be 3`.
    Leads(&'a str, usize),
    /// This one is named, and there have to be so many.
    Follows(&'a str, usize),
}

impl<'a> Field<'a> {
    fn new(of: &str, name: String, place: Place<'a>) -> Self {
        Self { of: of.into(), name, lies: Vec::new(), place }
    }

    /// One whose every value is right.
    pub(super) fn free(of: &str, name: String) -> Self {
        Self::new(of, name, Place::Free)
    }

    /// The number of an output, a state or a timer, as errors say it: `what` (`state`) and how many are declared; `other` is named already.
    pub(super) fn number(of: &str, name: String, number: &'a mut u32, (what, declared, other): (&str, u32, u32)) -> Self {
        let field = Self::new(of, name, Place::Number(number));
        let far = format!("{what} {declared} is named, but {declared} are declared");
        let field = field.lie("a number that is not declared", Said::Number(declared), far);
        let huge = format!("{what} {} is named, but {declared} are declared", u32::MAX);
        let field = field.lie("the largest number", Said::Number(u32::MAX), huge);
        field.lie("a number twice", Said::Number(other), format!("{what} {other} is named twice"))
    }

    /// The same, with one of another kind in its place.
    pub(super) fn wrong_kind(self, number: u32, expect: String) -> Self {
        self.lie("another kind", Said::Number(number), expect)
    }

    /// Bytes that are neither integers nor items.
    pub(super) fn bits(of: &str, name: String, bytes: &'a mut Vec<u8>) -> Self {
        Self::new(of, name, Place::Bytes(bytes))
    }

    pub(super) fn bytes(self, what: &'static str, bytes: &[u8], expect: String) -> Self {
        self.lie(what, Said::Bytes(bytes.into()), expect)
    }

    pub(super) fn text(of: &str, name: String, text: &'a mut String, lies: &[(&'static str, String)]) -> Self {
        let field = Self::new(of, name, Place::Text(text));
        lies.iter().fold(field, |field, (what, said)| field.lie(what, Said::Text(said.clone()), "a metric is named \"".into()))
    }

    /// Integers of four bytes, which errors call `said`: some are there, so one byte can be missing.
    pub(super) fn u32s(of: &str, name: String, bytes: &'a mut Vec<u8>, said: &str) -> Self {
        Self::integers(of, name, bytes, (4, said))
    }

    /// The same of eight.
    pub(super) fn u64s(of: &str, name: String, bytes: &'a mut Vec<u8>, said: &str) -> Self {
        Self::integers(of, name, bytes, (8, said))
    }

    fn integers(of: &str, name: String, bytes: &'a mut Vec<u8>, (size, said): (usize, &str)) -> Self {
        let less = bytes[..bytes.len() - 1].to_vec();
        let expect = format!("{of}: {said}: {} bytes are no multiple of {size}", less.len());
        Self::new(of, name, Place::Bytes(bytes)).lie("an odd number of bytes", Said::Bytes(less), expect)
    }

    /// Other integers of four bytes in their place.
    pub(super) fn or(self, what: &'static str, integers: &[u32], expect: String) -> Self {
        self.lie(what, Said::Bytes(bytemuck::cast_slice(integers).to_vec()), expect)
    }

    /// Other integers of eight.
    pub(super) fn or_times(self, what: &'static str, integers: &[i64], expect: String) -> Self {
        self.lie(what, Said::Bytes(bytemuck::cast_slice(integers).to_vec()), expect)
    }

    /// The last integer is the first that is too large, or the largest there is. `text` has both for a `#`.
    pub(super) fn range(mut self, bound: u32, text: &str) -> Self {
        let Place::Bytes(bytes) = &self.place else { panic!("{} has no integers", self.name) };
        let rest = bytes[..bytes.len() - 4].to_vec();
        for far in [bound, u32::MAX] {
            let expect = format!("{}: {}", self.of, text.replace('#', &far.to_string()));
            self = self.lie("an index out of range", Said::Bytes([&rest[..], &far.to_le_bytes()].concat()), expect);
        }
        self
    }

    /// One integer more, which is `more`, and one less than there are.
    pub(super) fn count(self, size: usize, more: u32, count: Count<'_>) -> Self {
        let Place::Bytes(bytes) = &self.place else { panic!("{} has no integers", self.name) };
        let mut longer = [&bytes[..], &more.to_le_bytes()].concat();
        longer.resize(bytes.len() + size, 0);
        let shorter = bytes[..bytes.len() - size].to_vec();
        let expect = [&longer, &shorter].map(|said| format!("{}: {}", self.of, count.text(said.len() / size)));
        let [more, less] = expect;
        self.lie("one too many", Said::Bytes(longer), more).lie("one too few", Said::Bytes(shorter), less)
    }

    /// Byte strings, which errors call `said`.
    pub(super) fn column(of: &str, name: String, column: &'a mut wit::ColumnResult, said: &str) -> Self {
        let (data, ends) = (column.data.clone(), column.ends.clone());
        let all = data.len() as u32;
        let of_ends = |ends: Vec<u8>| Said::Column(wit::ColumnResult { data: data.clone(), ends });
        let short = Said::Column(wit::ColumnResult { data: [&data[..], b"x"].concat(), ends: ends.clone() });
        let odd = ends[..ends.len() - 1].to_vec();
        let missing = format!("{of}: {said}: ends: {} bytes are no multiple of 4", odd.len());
        let last = |last: u32, bytes: u32| format!("{of}: {said}: the last end is {last} but there are {bytes} bytes");
        let past = |end: u32| [&ends[..ends.len() - 4], &end.to_le_bytes()].concat();
        let falling = [1_u32, 0].map(u32::to_le_bytes).concat();
        Self::new(of, name, Place::Column(column))
            .lie("an end that falls", of_ends(falling), format!("{of}: {said}: the end of item 1 is smaller than the end before it"))
            .lie("an end past the data", of_ends(past(all + 1)), last(all + 1, all))
            .lie("the largest end", of_ends(past(u32::MAX)), last(u32::MAX, all))
            .lie("data behind the last end", short, last(all, all + 1))
            .lie("ends of an odd number of bytes", of_ends(odd), missing)
    }

    /// One item more and one less than there are.
    pub(super) fn items(self, text: impl Fn(usize) -> String) -> Self {
        let Place::Column(column) = &self.place else { panic!("{} has no items", self.name) };
        let (items, all) = (column.ends.len() / 4, column.data.len() as u32);
        let longer = wit::ColumnResult { data: column.data.clone(), ends: [&column.ends[..], &all.to_le_bytes()].concat() };
        let ends = column.ends[..column.ends.len() - 4].to_vec();
        let end = ends.last_chunk().map_or(0, |end: &[u8; 4]| u32::from_le_bytes(*end));
        let shorter = wit::ColumnResult { data: column.data[..end as usize].to_vec(), ends };
        let expect = [items + 1, items - 1].map(|items| format!("{}: {}", self.of, text(items)));
        let [more, less] = expect;
        self.lie("one too many", Said::Column(longer), more).lie("one too few", Said::Column(shorter), less)
    }

    /// The same, counted against another list.
    pub(super) fn parallel(self, count: Count<'_>) -> Self {
        self.items(|items| count.text(items))
    }

    /// Other items in their place, of which one is named already.
    pub(super) fn again(self, items: &[&str], expect: String) -> Self {
        self.lie("an entry twice", Said::Column(super::super::tests::column_of(items)), expect)
    }

    fn lie(mut self, what: &'static str, said: Said, expect: String) -> Self {
        self.lies.push(Lie { what, said, expect });
        self
    }

    /// Says the lie `number` in its place. What the lie is, and how it is to be refused.
    pub(super) fn tell(mut self, number: usize) -> (&'static str, String) {
        let Lie { what, said, expect } = self.lies.swap_remove(number);
        match (self.place, said) {
            (Place::Number(place), Said::Number(said)) => *place = said,
            (Place::Bytes(place), Said::Bytes(said)) => *place = said,
            (Place::Column(place), Said::Column(said)) => *place = said,
            (Place::Text(place), Said::Text(said)) => *place = said,
            _ => panic!("{}: {what} is nothing of its type", self.name),
        }
        (what, expect)
    }
}

impl Count<'_> {
    fn text(self, own: usize) -> String {
        match self {
            Self::Leads(said, other) => format!("{said} has {other} items where there have to be {own}"),
            Self::Follows(said, other) => format!("{said} has {own} items where there have to be {other}"),
        }
    }
}
