package weir

// Values that are kept as they lie in memory. As a rule a batch brings one of each of its keys and sets one of each, in the keys' order: then their columns are
// taken over and handed out as they lie, and nothing is done key by key.

import (
	"slices"
	"unsafe"
)

// beginPlain takes values over as they lie in memory. One that has another size is left to be found out when it is asked for.
func (s *ValueState[T]) beginPlain(keys []uint32) {
	var value T
	size := unsafe.Sizeof(value)
	if len(keys) == len(s.slots) && s.plain.isAll(s.encoded.ends, size) {
		// Every key has one, as keys ascend: they lie as they are to lie.
		copy(bytesOf(s.values), s.encoded.data)
		fillSlots(s.slots, slotRead)
		return
	}
	slots, values, ends := s.slots, s.values[:len(s.slots)], s.encoded.ends[:len(keys)]
	data, from := unsafe.Pointer(unsafe.SliceData(s.encoded.data)), uint32(0)
	for item, key := range keys {
		end := ends[item]
		if uintptr(end-from) == size {
			slots[key], values[key] = slotRead, *(*T)(unsafe.Add(data, from))
		} else {
			s.beginEncoded(key, item)
		}
		from = end
	}
}

// finishPlain adds values as they lie in memory.
func (s *ValueState[T]) finishPlain(e *effects) {
	u := &s.update
	var value T
	size := unsafe.Sizeof(value)
	if s.isCleared {
		s.changed = slices.DeleteFunc(s.changed, func(key uint32) bool {
			isCleared := s.slots[key] == slotCleared
			if isCleared {
				u.cleared = append(u.cleared, key)
			}
			return isCleared
		})
	}
	keys, values := s.changed, s.values
	data := bytesOf(values[:len(keys)])
	if !s.plain.isFirst(keys) {
		data = s.plain.room(len(data))
		for item, key := range keys {
			*(*T)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(data)), uintptr(item)*size)) = values[key]
		}
	}
	u.set = keyedColumn{keys, column{data, s.plain.endsOf(len(keys), size)}}
	e.values = append(e.values, u)
}

// plainColumn knows the numbers of columns whose items have all one size, and belong to the first keys: as a rule they are that, and need not be made
// or looked through one by one.
type plainColumn struct {
	// ends are those of items of one size, numbers those of the keys, and data and keys are where those are gathered that are not the first ones.
	ends, numbers []uint32
	data          []byte
	keys          []uint32
}

// endsOf returns where so many items of one size end.
func (p *plainColumn) endsOf(count int, size uintptr) []uint32 {
	for item := len(p.ends); item < count; item++ {
		p.ends = append(p.ends, uint32(uintptr(item+1)*size))
	}
	return p.ends[:count]
}

// isAll says whether all items that end here have this size.
func (p *plainColumn) isAll(ends []uint32, size uintptr) bool {
	return areSame(ends, p.endsOf(len(ends), size))
}

// first returns the first keys, in order.
func (p *plainColumn) first(count int) []uint32 {
	for number := len(p.numbers); number < count; number++ {
		p.numbers = append(p.numbers, uint32(number))
	}
	return p.numbers[:count:count]
}

// isFirst says whether these are the first keys, in order: they ascend.
func (p *plainColumn) isFirst(keys []uint32) bool {
	return len(keys) == 0 || int(keys[len(keys)-1]) == len(keys)-1
}

// changed returns the keys that were set or cleared. It looks at eight slots at a time: as a rule all keys were set, or few of many.
func (p *plainColumn) changed(slots []slot) []uint32 {
	const allSet, low = 0x0101_0101_0101_0101 * uint64(slotSet), 0x0101_0101_0101_0101
	at := 0
	for ; at+8 <= len(slots) && wordOf(slots[at:]) == allSet; at += 8 {
	}
	for ; at < len(slots) && slots[at] == slotSet; at++ {
	}
	if at == len(slots) {
		return p.first(at)
	}
	p.keys = append(p.keys[:0], p.first(at)...)
	for at < len(slots) {
		// Of a slot that is changed the two lowest bits are set, and of no other.
		if at+8 <= len(slots) && wordOf(slots[at:])&(wordOf(slots[at:])>>1)&low == 0 {
			at += 8
			continue
		}
		if slots[at].isChanged() {
			p.keys = append(p.keys, uint32(at))
		}
		at++
	}
	return p.keys
}

// wordOf returns eight slots.
func wordOf(slots []slot) uint64 { return *(*uint64)(unsafe.Pointer(&slots[0])) }

// areSame says whether the other list begins with these numbers. It looks at eight of them at a time, without a jump between them.
func areSame(numbers, other []uint32) bool {
	at, differ := 0, uint32(0)
	for ; at+8 <= len(numbers); at += 8 {
		one, other := numbers[at:at+8:at+8], other[at:at+8:at+8]
		differ |= one[0] ^ other[0] | one[1] ^ other[1] | one[2] ^ other[2] | one[3] ^ other[3]
		differ |= one[4] ^ other[4] | one[5] ^ other[5] | one[6] ^ other[6] | one[7] ^ other[7]
	}
	for ; at < len(numbers); at++ {
		differ |= numbers[at] ^ other[at]
	}
	return differ == 0
}

// room returns memory for items that are gathered.
func (p *plainColumn) room(bytes int) []byte {
	if bytes > cap(p.data) || cap(p.data) > keptBytesMax {
		p.data = make([]byte, bytes)
	}
	return p.data[:bytes]
}

// bytesOf returns the memory of items.
func bytesOf[T any](items []T) []byte {
	var item T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(items))), uintptr(len(items))*unsafe.Sizeof(item))
}

// fillSlots makes all slots the same. Each copy doubles what is filled.
func fillSlots(slots []slot, with slot) {
	for filled := copy(slots, []slot{with}); filled < len(slots); {
		filled += copy(slots[filled:], slots[:filled])
	}
}
