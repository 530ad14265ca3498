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

	place
	codec codec[T]
	// slots says for each key what is known of its value, which stands at the same place in values.
	slots  []slot
	values []T
	items  []uint32
	// encoded has the values as they came; items says where that of a key stands.
	encoded column
	// changed has the keys that were set or cleared, in the order of the first time.
	changed []uint32
	update  valueUpdate
}

// slot is what is known of a key's value.
type slot uint8

const (
	slotAbsent slot = iota
	slotEncoded
	slotRead
	slotSet
	slotCleared
)

// Get returns the value, if there is one. What it refers to (slices, maps, pointers) is not to be changed: [ValueState.Set] and [ValueState.Update] do that.
func (s *ValueState[T]) Get() (value T, ok bool) {
	key := s.now.key
	if uint(key) >= uint(len(s.slots)) {
		s.noKey()
	}
	switch s.slots[key] {
	case slotAbsent, slotCleared:
		return value, false
	case slotEncoded:
		s.decode(key)
	}
	if s.asksReads {
		s.noteRead()
	}
	return s.values[key], true
}

// Set replaces the value. What it refers to (slices, maps, pointers) is not to be changed any more.
func (s *ValueState[T]) Set(value T) {
	key := s.now.key
	if uint(key) >= uint(len(s.slots)) {
		s.noKey()
	}
	if s.slots[key] < slotSet {
		s.changed = append(s.changed, key)
	}
	s.slots[key] = slotSet
	s.values[key] = value
}

// Clear removes the value.
func (s *ValueState[T]) Clear() { s.change(slotCleared) }

// Update changes the value in place, beginning with the zero value where there is none.
func (s *ValueState[T]) Update(change func(value *T)) {
	key := s.now.key
	if uint(key) >= uint(len(s.slots)) {
		s.noKey()
	}
	switch s.slots[key] {
	case slotAbsent, slotCleared:
		var zero T
		s.values[key] = zero
	case slotEncoded:
		s.decode(key)
	}
	s.change(slotSet)
	change(&s.values[key])
}

func (s *ValueState[T]) change(to slot) {
	key := s.now.key
	if uint(key) >= uint(len(s.slots)) {
		s.noKey()
	}
	if s.slots[key] < slotSet {
		s.changed = append(s.changed, key)
	}
	s.slots[key] = to
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
	return stateShape{kindValue, s.codec.schema, s.Merge != nil}, err
}

func (s *ValueState[T]) begin(values *keyedColumn) {
	s.place.begin()
	s.changed = s.changed[:0]
	keys := s.now.keys
	if s.codec.hasPointers {
		// What the call before had is let go of.
		clear(s.values)
	}
	s.slots = resized(s.slots, keys)
	if len(s.values) < keys {
		s.values, s.items = make([]T, keys), make([]uint32, keys)
	}
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
		key := values.keys[item]
		s.slots[key], s.items[key] = slotEncoded, uint32(item)
	}
}

// beginPlain takes values over as they lie in memory. One that has another size is left to be found out when it is asked for.
func (s *ValueState[T]) beginPlain(keys []uint32) {
	var value T
	size := uint32(unsafe.Sizeof(value))
	slots, values, ends := s.slots, s.values[:len(s.slots)], s.encoded.ends[:len(keys)]
	data, from := unsafe.Pointer(unsafe.SliceData(s.encoded.data)), uint32(0)
	for item, key := range keys {
		end := ends[item]
		if end-from == size {
			slots[key], values[key] = slotRead, *(*T)(unsafe.Add(data, from))
		} else {
			slots[key], s.items[key] = slotEncoded, uint32(item)
		}
		from = end
	}
}

func (s *ValueState[T]) finish(e *effects) *stateFault {
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

// finishPlain adds values as they lie in memory.
func (s *ValueState[T]) finishPlain(e *effects) {
	u := &s.update
	u.set.reset()
	var value T
	size := unsafe.Sizeof(value)
	data := slices.Grow(u.set.items.data, int(size)*len(s.changed))[:int(size)*len(s.changed)]
	ends := slices.Grow(u.set.items.ends, len(s.changed))[:len(s.changed)]
	keys := slices.Grow(u.set.keys, len(s.changed))[:len(s.changed)]
	slots, values := s.slots, s.values[:len(s.slots)]
	count := 0
	for _, key := range s.changed {
		if slots[key] == slotCleared {
			u.cleared = append(u.cleared, key)
			continue
		}
		*(*T)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(data)), uintptr(count)*size)) = values[key]
		keys[count] = key
		count++
		ends[count-1] = uint32(size) * uint32(count)
	}
	u.set = keyedColumn{keys[:count], column{data[:int(size)*count], ends[:count]}}
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
