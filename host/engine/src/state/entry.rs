//! One key and its states: 64 bytes, so that it lies in one cache line.

use super::layout::Place;
use super::list_state::ListState;
use super::map_state::MapState;
use super::small_bytes::{MARK_MAX, SmallBytes};

pub(super) type Key = SmallBytes<22>;
pub(super) type Value = SmallBytes<30>;

/// The values that are marks, each in its place.
const MARKS: [[u8; 1]; MARK_MAX as usize + 1] = [[0], [1], [2], [3], [4], [5], [6], [7]];

/// The mark that stands for a value; 0: none does.
fn mark_of(value: &[u8]) -> u8 {
    match value {
        [mark @ 1..=MARK_MAX] => *mark,
        _ => 0,
    }
}

/// A key with its states, or a hole: an entry without any state is a hole, whatever its key says. The key's mark is a value of one byte.
#[repr(align(64))]
#[derive(Clone, Default)]
pub(super) struct Entry {
    pub key: Key,
    value: Option<Value>,
    /// States other than the one in place; absent where the key has none of them.
    cells: Option<Cells>,
}

/// The states of a key without the key.
pub(super) struct KeyStates {
    mark: u8,
    value: Option<Value>,
    cells: Option<Cells>,
}

/// Boxed twice to be one word in the entry.
type Cells = Box<CellSlice>;

#[derive(Clone)]
struct CellSlice(Box<[Cell]>);

/// One of the states that are not in place.
#[derive(Clone, Default)]
pub(super) enum Cell {
    #[default]
    Absent,
    Value(Value),
    List(Box<ListState>),
    Map(Box<MapState>),
}

impl Cell {
    /// What the state counts as.
    fn bytes(&self) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Value(value) => value.as_slice().len() as u64,
            Self::List(list) => list.bytes(),
            Self::Map(map) => map.bytes(),
        }
    }
}

/// A state as it is found in an entry.
pub(super) enum Found<'a> {
    Value(&'a [u8]),
    List(&'a ListState),
    Map(&'a MapState),
}

impl Entry {
    /// Reads something of the entry.
    #[inline]
    pub fn touch(&self) -> u32 {
        u32::from(self.cells.is_some())
    }

    /// True where no state is left.
    pub(crate) fn is_hole(&self) -> bool {
        self.value.is_none() && self.cells.is_none() && self.key.mark() == 0
    }

    /// What is at `place`.
    pub fn find(&self, place: Place) -> Option<Found<'_>> {
        match place {
            Place::InEntry => self.value.as_ref().map(|value| Found::Value(value.as_slice())),
            Place::Marked(at) => match self.key.mark() {
                0 => self.find(Place::Cell(at)),
                mark => Some(Found::Value(&MARKS[usize::from(mark)])),
            },
            Place::Cell(at) => match &self.cells.as_ref()?.0[at] {
                Cell::Absent => None,
                Cell::Value(value) => Some(Found::Value(value.as_slice())),
                Cell::List(list) => Some(Found::List(list)),
                Cell::Map(map) => Some(Found::Map(map)),
            },
        }
    }

    /// The value at `place`.
    #[inline]
    pub fn value(&self, place: Place) -> Option<&[u8]> {
        match place {
            Place::InEntry => self.value.as_ref().map(Value::as_slice),
            Place::Marked(_) | Place::Cell(_) => match self.find(place)? {
                Found::Value(value) => Some(value),
                Found::List(_) | Found::Map(_) => None,
            },
        }
    }

    /// The list at `place`.
    pub fn list(&self, place: Place) -> Option<&ListState> {
        match self.find(place)? {
            Found::List(list) => Some(list),
            Found::Value(_) | Found::Map(_) => None,
        }
    }

    /// The map at `place`.
    pub fn map(&self, place: Place) -> Option<&MapState> {
        match self.find(place)? {
            Found::Map(map) => Some(map),
            Found::Value(_) | Found::List(_) => None,
        }
    }

    /// Sets the value at `place`; `cells` is the layout's number of cells. How many bytes the value before had.
    #[inline]
    pub fn set_value(&mut self, place: Place, cells: usize, value: &[u8]) -> u64 {
        match place {
            Place::InEntry => match &mut self.value {
                Some(old) => {
                    let before = old.as_slice().len() as u64;
                    old.set(value);
                    before
                }
                None => {
                    self.value = Some(Value::new(value));
                    0
                }
            },
            Place::Marked(at) => match mark_of(value) {
                0 => {
                    let before = self.bytes_at(place);
                    self.key.set_mark(0);
                    self.set_value(Place::Cell(at), cells, value);
                    before
                }
                mark => {
                    let before = self.bytes_at(place);
                    self.clear(place);
                    self.key.set_mark(mark);
                    before
                }
            },
            Place::Cell(at) => match self.cell_mut(at, cells) {
                Cell::Value(old) => {
                    let before = old.as_slice().len() as u64;
                    old.set(value);
                    before
                }
                cell @ (Cell::Absent | Cell::List(_) | Cell::Map(_)) => {
                    let before = cell.bytes();
                    *cell = Cell::Value(Value::new(value));
                    before
                }
            },
        }
    }

    /// What the state at `place` counts as.
    pub(crate) fn bytes_at(&self, place: Place) -> u64 {
        match place {
            Place::InEntry => self.value.as_ref().map_or(0, |value| value.as_slice().len() as u64),
            Place::Marked(_) if self.key.mark() != 0 => 1,
            Place::Marked(at) | Place::Cell(at) => self.cells.as_ref().map_or(0, |cells| cells.0[at].bytes()),
        }
    }

    /// What all states count as.
    pub fn bytes(&self) -> u64 {
        let cells = self.cells.iter().flat_map(|cells| cells.0.iter()).map(Cell::bytes).sum::<u64>();
        self.bytes_at(Place::InEntry) + u64::from(self.key.mark() != 0) + cells
    }

    /// The list in cell `at`, which is made where there is none; the caller adds to it.
    pub(crate) fn list_mut(&mut self, at: usize, cells: usize) -> &mut ListState {
        let cell = self.cell_mut(at, cells);
        if !matches!(cell, Cell::List(_)) {
            *cell = Cell::List(Box::default());
        }
        match cell {
            Cell::List(list) => list,
            Cell::Absent | Cell::Value(_) | Cell::Map(_) => unreachable!("the cell has just been given a list"),
        }
    }

    /// The map in cell `at`, which is made where there is none; the caller adds to it.
    pub(crate) fn map_mut(&mut self, at: usize, cells: usize) -> &mut MapState {
        let cell = self.cell_mut(at, cells);
        if !matches!(cell, Cell::Map(_)) {
            *cell = Cell::Map(Box::default());
        }
        match cell {
            Cell::Map(map) => map,
            Cell::Absent | Cell::Value(_) | Cell::List(_) => unreachable!("the cell has just been given a map"),
        }
    }

    /// Removes what is at `place`.
    pub fn clear(&mut self, place: Place) {
        match place {
            Place::InEntry => self.value = None,
            Place::Marked(at) => {
                self.key.set_mark(0);
                self.clear(Place::Cell(at));
            }
            Place::Cell(at) => {
                let Some(cells) = &mut self.cells else { return };
                cells.0[at] = Cell::Absent;
                if cells.0.iter().all(|cell| matches!(cell, Cell::Absent)) {
                    self.cells = None;
                }
            }
        }
    }

    /// Removes every state.
    pub(crate) fn clear_all(&mut self) {
        self.take_states();
    }

    /// Takes every state out.
    pub fn take_states(&mut self) -> KeyStates {
        let mark = self.key.mark();
        self.key.set_mark(0);
        KeyStates { mark, value: self.value.take(), cells: self.cells.take() }
    }

    /// Puts states in the place of those that are there.
    pub fn put_states(&mut self, KeyStates { mark, value, cells }: KeyStates) {
        self.key.set_mark(mark);
        (self.value, self.cells) = (value, cells);
    }

    fn cell_mut(&mut self, at: usize, cells: usize) -> &mut Cell {
        &mut self.cells.get_or_insert_with(|| Box::new(CellSlice(vec![Cell::Absent; cells].into()))).0[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_fills_one_cache_line() {
        assert_eq!((size_of::<Entry>(), align_of::<Entry>()), (64, 64));
    }
}
