package cbor

import (
	"encoding/binary"
	"math/bits"
	"reflect"
	"slices"
	"unsafe"
)

// Flat writes and reads columns of values that are an integer, or a record of nothing but integers. Each way is one loop for a whole column, since in Wasm a call
// for each value, and one for each field, costs more than the value does.
//
// The encoding is that of the codec which it belongs to. What it cannot read it leaves to that one, which says what is wrong.
type Flat struct {
	fields []flatField
	// stride is how far apart values lie in memory.
	stride uintptr
	// room is how many bytes writing a value touches at most.
	room int
}

// flatField is an integer and what stands before it.
type flatField struct {
	// words have the encoded name, behind the head of the map if this is the first field; of the last one mask says how much counts.
	words  []uint64
	mask   uint64
	length int

	offset   uintptr
	size     uint8
	isSigned bool
}

// flatOf returns the columns of a type whose fields, in the order of their encoding, are these; nil where not all are integers. What stands before the first is given.
func flatOf(t reflect.Type, head []byte, fields []field) *Flat {
	flat := &Flat{stride: t.Size(), room: 8}
	for _, of := range fields {
		f := flatField{offset: of.offset}
		switch kind := of.kind; kind {
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.size = 1 << (kind - reflect.Uint8)
		case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			f.size, f.isSigned = 1<<(kind-reflect.Int8), true
		case reflect.Uint, reflect.Int:
			f.size, f.isSigned = 8, kind == reflect.Int
		default:
			return nil
		}
		f.comesBehind(append(head, of.key.bytes...))
		head = nil
		flat.fields = append(flat.fields, f)
		flat.room += f.length + 9
	}
	return flat
}

// comesBehind says what stands before the integer.
func (f *flatField) comesBehind(name []byte) {
	f.length = len(name)
	padded := append(slices.Clone(name), make([]byte, 8)...)
	for at := 0; at < f.length; at += 8 {
		f.words = append(f.words, binary.LittleEndian.Uint64(padded[at:]))
	}
	f.mask = ^uint64(0) >> (8 * (-f.length & 7))
}

// leastArguments has the least that is written in 1, 2, 4 and 8 bytes: what is below has a shorter form.
var leastArguments = [4]uint64{24, 1 << 8, 1 << 16, 1 << 32}

// Read reads the items of a column up to the first that it cannot read, and returns how many these are. Each becomes the value at the place of its key, of so
// many from where values points.
func (c *Flat) Read(data []byte, ends, keys []uint32, values unsafe.Pointer, count int) int {
	from, at := unsafe.Pointer(unsafe.SliceData(data)), 0
	for item, key := range keys[:min(len(keys), len(ends))] {
		end := int(ends[item])
		if end > len(data) || int(key) >= count {
			return item
		}
		value := unsafe.Add(values, uintptr(key)*c.stride)
		for i := range c.fields {
			f := &c.fields[i]
			if at+8*len(f.words) > len(data) {
				return item
			}
			for w, expected := range f.words {
				word, mask := *(*uint64)(unsafe.Add(from, at+8*w)), ^uint64(0)
				if w == len(f.words)-1 {
					mask = f.mask
				}
				if word&mask != expected {
					return item
				}
			}
			if at += f.length; at >= end {
				return item
			}
			first := data[at]
			at++
			argument := uint64(first & 31)
			if argument >= 24 {
				if argument > 27 || at+8 > len(data) {
					return item
				}
				least, length := leastArguments[argument-24], 1<<(argument-24)
				if argument = bits.ReverseBytes64(*(*uint64)(unsafe.Add(from, at))) >> (64 - 8*length); argument < least {
					return item
				}
				at += length
			}
			// A signed one has a bit less, and is written from its other end where it is below zero.
			most := ^uint64(0) >> (64 - 8*f.size)
			if f.isSigned {
				most >>= 1
			}
			if argument > most || first >= 0x40 || first >= 0x20 && !f.isSigned {
				return item
			}
			if first >= 0x20 {
				argument = ^argument
			}
			store(unsafe.Add(value, f.offset), f.size, argument)
		}
		if at != end {
			return item
		}
	}
	return min(len(keys), len(ends))
}

// Append appends the values at the places of these keys, from where values points, as items of a column.
func (c *Flat) Append(data []byte, ends, keys []uint32, values unsafe.Pointer) ([]byte, []uint32) {
	for _, key := range keys {
		value := unsafe.Add(values, uintptr(key)*c.stride)
		if cap(data)-len(data) < c.room {
			data = slices.Grow(data, c.room)
		}
		to, at := unsafe.Pointer(unsafe.SliceData(data)), len(data)
		for i := range c.fields {
			f := &c.fields[i]
			for w, word := range f.words {
				*(*uint64)(unsafe.Add(to, at+8*w)) = word
			}
			at += f.length
			argument := load(unsafe.Add(value, f.offset), f.size)
			major := uint8(0)
			if f.isSigned {
				extended := int64(argument<<(64-8*f.size)) >> (64 - 8*f.size)
				if argument = uint64(extended); extended < 0 {
					major, argument = 0x20, ^argument
				}
			}
			head, rest := (*uint8)(unsafe.Add(to, at)), unsafe.Add(to, at+1)
			switch {
			case argument < 24:
				*head = major | uint8(argument)
				at++
			case argument <= 0xff:
				*head, *(*uint8)(rest) = major|24, uint8(argument)
				at += 2
			case argument <= 0xffff:
				*head = major | 25
				*(*uint16)(rest) = bits.ReverseBytes16(uint16(argument))
				at += 3
			case argument <= 0xffff_ffff:
				*head = major | 26
				*(*uint32)(rest) = bits.ReverseBytes32(uint32(argument))
				at += 5
			default:
				*head = major | 27
				*(*uint64)(rest) = bits.ReverseBytes64(argument)
				at += 9
			}
		}
		data, ends = data[:at], append(ends, uint32(at))
	}
	return data, ends
}

// load returns the integer of so many bytes at a place.
func load(place unsafe.Pointer, size uint8) uint64 {
	switch size {
	case 1:
		return uint64(*(*uint8)(place))
	case 2:
		return uint64(*(*uint16)(place))
	case 4:
		return uint64(*(*uint32)(place))
	}
	return *(*uint64)(place)
}

// store puts an integer of so many bytes to a place.
func store(place unsafe.Pointer, size uint8, integer uint64) {
	switch size {
	case 1:
		*(*uint8)(place) = uint8(integer)
	case 2:
		*(*uint16)(place) = uint16(integer)
	case 4:
		*(*uint32)(place) = uint32(integer)
	default:
		*(*uint64)(place) = integer
	}
}
