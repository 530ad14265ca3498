package weir

import (
	"slices"
	"unsafe"

	"weir/internal/cbor"
)

// A ValueState is one value for each key: a field with a tag that names it, like `weir:"visits"`. It shows that of the key of the record that is being
// worked on.
//
// The values of a batch's keys come with the batch; each is decoded once and encoded once, however many records its key has. A call that cannot be
// answered, because the input has no key or the bytes are no T, fails the record.
type ValueState[T any] struct {
	// Merge makes one value of those of two windows that become one, the earlier one's first. Sessions need it. It is set in the value that [Export] is
	// given, and must depend on nothing but the two values.
	Merge func(earlier, later T) T

	// mustLook says that some value does not stand in values yet, or that it is asked what is read; at is what is worked on.
	mustLook bool
	at       *current
	place
	codec codec[T]
	// slots says for each key what is known of its value, which stands at the same place in values: the zero value where there is none.
	slots  []slot
	values []T
	items  []uint32
	// encoded has the values as they came; items says where that of a key stands.
	encoded column
	// changed has the keys that were set or cleared, once the call ends.
	changed []uint32
	// isCleared says that some of them were cleared.
	isCleared bool
	update    valueUpdate
	plain     plainColumn
}

// slot is what is known of a key's value.
type slot int8

const (
	slotCleared slot = iota - 1
	slotAbsent
	slotEncoded
	// These have a value in values.
	slotRead
	slotSet
)

// isChanged says whether a value was set or cleared.
func (s slot) isChanged() bool { return s == slotSet || s == slotCleared }

// Get returns the value, if there is one. What it refers to (slices, maps, pointers) is not to be changed: [ValueState.Set] and [ValueState.Update] do that.
func (s *ValueState[T]) Get() (value T, ok bool) {
	// So little that it becomes a part of the author's function.
	if s.mustLook {
		s.look()
	}
	return s.values[s.at.key], s.slots[s.at.key] >= slotRead
}

// lookAt makes the value of the key that is shown stand in values, and notes that it is read.
func (s *ValueState[T]) lookAt(key uint32) {
	if uint(key) >= uint(len(s.slots)) {
		panic(&s.place)
	}
	if s.slots[key] == slotEncoded {
		s.decode(key)
	}
	if s.slots[key] >= slotRead {
		s.noteRead()
	}
}

// Set replaces the value. What it refers to (slices, maps, pointers) is not to be changed any more.
func (s *ValueState[T]) Set(value T) {
	// This, too, becomes a part of the author's function: which keys were changed is looked up when the call ends.
	key := s.at.key
	if uint(key) >= uint(len(s.slots)) {
		panic(&s.place)
	}
	s.slots[key] = slotSet
	s.values[key] = value
}

// Clear removes the value.
func (s *ValueState[T]) Clear() {
	var none T
	s.Set(none)
	s.slots[s.at.key], s.isCleared = slotCleared, true
}

// Update changes the value in place, beginning with the zero value where there is none.
func (s *ValueState[T]) Update(change func(value *T)) {
	key := s.at.key
	if uint(key) >= uint(len(s.slots)) {
		panic(&s.place)
	}
	if s.slots[key] == slotEncoded {
		s.decode(key)
	}
	s.slots[key] = slotSet
	change(&s.values[key])
}

func (s *ValueState[T]) decode(key uint32) {
	data, value := s.encoded.item(int(s.items[key])), &s.values[key]
	var err error
	if of := s.codec.cbor; of != nil {
		err = of.Decode(data, unsafe.Pointer(value))
	} else {
		err = s.codec.decode(data, value)
	}
	if err != nil {
		s.failed("decode", err)
	}
	s.slots[key] = slotRead
}

func (s *ValueState[T]) describe() (shape stateShape, err error) {
	s.codec, err = codecOf[T]()
	s.looker, s.mustLook, s.at = s, true, &current{key: noKey}
	return stateShape{kindValue, s.codec.schema, s.Merge != nil}, err
}

func (s *ValueState[T]) begin(values *keyedColumn) {
	s.place.begin()
	keys := s.now.keys
	s.slots = resized(s.slots, keys)
	if len(s.values) < keys {
		s.values, s.items = make([]T, keys), make([]uint32, keys)
	} else if s.codec.hasPointers {
		// What the call before had is let go of.
		clear(s.values)
	} else {
		clear(s.values[:keys])
	}
	s.isCleared = false
	s.mustLook, s.at = keys == 0 || s.asksReads, s.now
	s.encoded = values.items
	if s.codec.isPlain {
		s.beginPlain(values.keys)
		return
	}
	read := 0
	if flat := s.codec.flat(); flat != nil {
		read = flat.Read(s.encoded.data, s.encoded.ends, values.keys, unsafe.Pointer(unsafe.SliceData(s.values)), keys)
		for _, key := range values.keys[:read] {
			s.slots[key] = slotRead
		}
	}
	// What is no T is found out when it is asked for.
	for item := read; item < len(values.keys); item++ {
		s.beginEncoded(values.keys[item], item)
	}
}

// beginEncoded leaves the value of a key to be read when it is asked for.
func (s *ValueState[T]) beginEncoded(key uint32, item int) {
	s.slots[key], s.items[key], s.mustLook = slotEncoded, uint32(item), true
}

func (s *ValueState[T]) finish(e *effects) *stateFault {
	s.changed = s.plain.changed(s.slots)
	s.finishReads(s.changed, e)
	if len(s.changed) == 0 {
		return nil
	}
	u := &s.update
	u.state, u.cleared = s.number, u.cleared[:0]
	if s.codec.isPlain {
		s.finishPlain(e)
		return nil
	}
	u.set.reset()
	if flat := s.codec.flat(); flat != nil {
		s.finishFlat(flat, e)
		return nil
	}
	data, ends, keys := u.set.items.data, slices.Grow(u.set.items.ends, len(s.changed)), slices.Grow(u.set.keys, len(s.changed))
	of := s.codec.cbor
	for _, key := range s.changed {
		if s.slots[key] == slotCleared {
			u.cleared = append(u.cleared, key)
			continue
		}
		var err error
		if of != nil {
			data, err = of.Append(data, unsafe.Pointer(&s.values[key]))
		} else {
			data, err = s.codec.append(data, &s.values[key])
		}
		if err != nil {
			return &stateFault{key, s.said("encode", err)}
		}
		ends, keys = append(ends, uint32(len(data))), append(keys, key)
	}
	u.set = keyedColumn{keys, column{data, ends}}
	e.values = append(e.values, u)
	return nil
}

// finishFlat adds values as a column that is written at once.
func (s *ValueState[T]) finishFlat(flat *cbor.Flat, e *effects) {
	u := &s.update
	keys := slices.Grow(u.set.keys, len(s.changed))
	for _, key := range s.changed {
		if s.slots[key] == slotCleared {
			u.cleared = append(u.cleared, key)
		} else {
			keys = append(keys, key)
		}
	}
	u.set.keys = keys
	u.set.items.data, u.set.items.ends = flat.Append(u.set.items.data, slices.Grow(u.set.items.ends, len(keys)), keys, unsafe.Pointer(unsafe.SliceData(s.values)))
	e.values = append(e.values, u)
}

func (s *ValueState[T]) merge(earlier, later, both *column) error {
	return mergeColumns(&s.codec, s.Merge, earlier, later, both)
}

// mergeColumns appends to both what merge makes of each pair.
func mergeColumns[T any](c *codec[T], merge func(earlier, later T) T, earlier, later, both *column) error {
	// In memory of their own: what is decoded may point at it.
	values := new(struct{ earlier, later, both T })
	for i := range earlier.ends {
		if err := c.decode(earlier.item(i), &values.earlier); err != nil {
			return err
		}
		if err := c.decode(later.item(i), &values.later); err != nil {
			return err
		}
		values.both = merge(values.earlier, values.later)
		data, err := c.append(both.data, &values.both)
		if err != nil {
			return err
		}
		both.data = data
		both.end()
	}
	return nil
}
