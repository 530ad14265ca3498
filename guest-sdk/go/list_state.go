package weir

import (
	"iter"
	"slices"
)

// pageBytes is what one page of a list or a map may hold: large enough that the call's cost is spread, small against a guest's memory.
const pageBytes = 64 << 10

// A ListState is a list for each key: a field with a tag that names it, like `weir:"history"`. It stays with the host; reads fetch what they ask for,
// so it may be large. A call that cannot be answered, because the input has no key or the bytes are no T, fails the record.
type ListState[T any] struct {
	place
	codec codec[T]
	// slots has for each key of the batch its change's place among changes, and one more; 0 where nothing was done to it.
	slots   []uint32
	changes []listChange
	update  listUpdate
	item    T
}

// Len returns the number of items.
func (s *ListState[T]) Len() int {
	view := s.view()
	return int(view.len())
}

// At returns the item at a position, from 0, if there is one.
func (s *ListState[T]) At(index int) (item T, ok bool) {
	view := s.view()
	if index < 0 || uint64(index) >= view.len() {
		return item, false
	}
	if uint64(index) >= view.stored {
		return s.decode(view.appended.item(view.gone + int(uint64(index)-view.stored))), true
	}
	page := hostListRead(s.number, s.now.key, view.first+uint64(index), 1)
	return s.decode(page.item(0)), true
}

// All goes through the items with their positions, in order. It shows the list as it was when it began.
func (s *ListState[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		view, key := s.view(), s.key()
		next := 0
		for uint64(next) < view.stored {
			page := hostListRead(s.number, key, view.first+uint64(next), pageBytes)
			for i := 0; i < len(page.ends) && uint64(next) < view.stored; i++ {
				if !yield(next, s.decode(page.item(i))) {
					return
				}
				next++
			}
		}
		for i := view.gone; i < len(view.appended.ends); i++ {
			if !yield(next, s.decode(view.appended.item(i))) {
				return
			}
			next++
		}
	}
}

// Values goes through the items in order. It shows the list as it was when it began.
func (s *ListState[T]) Values() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, item := range s.All() {
			if !yield(item) {
				return
			}
		}
	}
}

// Append adds items at the end.
func (s *ListState[T]) Append(items ...T) {
	change := s.change()
	for i := range items {
		// Where the codec's call does not make the caller's memory escape.
		s.item = items[i]
		data, err := s.codec.append(change.appended.data, &s.item)
		if err != nil {
			s.failed("encode an item of", err)
		}
		change.appended.data = data
		change.appended.end()
	}
}

// PopFront removes the first items, or all where there are fewer.
func (s *ListState[T]) PopFront(count int) {
	if count > 0 {
		view := s.view()
		s.change().popFront(uint64(count), view.stored)
	}
}

// Truncate removes all items behind the first ones; nothing where there are no more.
func (s *ListState[T]) Truncate(length int) {
	view := s.view()
	s.change().truncate(uint64(max(length, 0)), view.stored)
}

// Clear removes all items.
func (s *ListState[T]) Clear() { s.change().clear() }

// view returns the list as it is now.
func (s *ListState[T]) view() listView {
	key := s.key()
	stored := func() uint64 { return hostListLength(s.number, key) }
	if slot := s.slots[key]; slot > 0 {
		return s.changes[slot-1].view(stored)
	}
	return listView{stored: stored()}
}

// change returns the change of the shown key, which is made where there is none.
func (s *ListState[T]) change() *listChange {
	key := s.key()
	if s.slots[key] == 0 {
		if len(s.changes) < cap(s.changes) {
			s.changes = s.changes[:len(s.changes)+1]
		} else {
			s.changes = append(s.changes, listChange{})
		}
		s.changes[len(s.changes)-1].reset(key)
		s.slots[key] = uint32(len(s.changes))
	}
	return &s.changes[s.slots[key]-1]
}

// decode decodes an item that is handed out.
func (s *ListState[T]) decode(data []byte) T {
	s.noteRead()
	if err := s.codec.decode(data, &s.item); err != nil {
		s.failed("decode an item of", err)
	}
	return s.item
}

func (s *ListState[T]) describe() (shape stateShape, err error) {
	s.codec, err = codecOf[T]()
	return stateShape{kind: kindList, schema: s.codec.schema}, err
}

func (s *ListState[T]) begin(*keyedColumn) {
	s.place.begin()
	s.changes = s.changes[:0]
	s.slots = resized(s.slots, s.now.keys)
	var none T
	s.item = none
}

func (s *ListState[T]) finish(e *effects) *stateFault {
	s.finishReads(nil, e)
	if len(s.changes) == 0 {
		return nil
	}
	u := &s.update
	u.state, u.cleared = s.number, u.cleared[:0]
	u.popped.reset()
	u.truncated.reset()
	u.append.reset()
	bytes := 0
	for i := range s.changes {
		bytes += len(s.changes[i].appended.data)
	}
	u.append.items.data = slices.Grow(u.append.items.data, bytes)
	for i := range s.changes {
		s.changes[i].addTo(u)
	}
	e.lists = append(e.lists, u)
	return nil
}

// merge is never asked for: lists stand one behind the other.
func (s *ListState[T]) merge(_, _, _ *column) error { return nil }
