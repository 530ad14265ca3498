// Package cbor writes and reads deterministic CBOR (RFC 8949, section 4.2) for Go types, and describes these types in the grammar of
// wit/schema.md.
//
// One value has one encoding: shortest integers and lengths, definite lengths only, the shortest float that keeps the value, map keys in the
// bytewise order of their encodings, no key twice, no tags. Decoding accepts that form and no other, and allocates no more than the bytes that
// are there make necessary. Reflection looks at a type once, in [Of]; values go through the functions that it built.
package cbor

import (
	"encoding/binary"
	"fmt"
)

// Major types of an item.
const (
	unsigned = iota
	negative
	byteString
	text
	array
	mapping
	tag
	simple
)

// Whole items of one byte.
const (
	itemFalse = 0xf4
	itemTrue  = 0xf5
	itemNull  = 0xf6
)

// appendHead appends a major type and its argument in the shortest form.
func appendHead(b []byte, major byte, argument uint64) []byte {
	major <<= 5
	switch {
	case argument < 24:
		return append(b, major|byte(argument))
	case argument <= 0xff:
		return append(b, major|24, byte(argument))
	case argument <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(argument))
	case argument <= 0xffff_ffff:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(argument))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), argument)
}

// appendInt appends a signed integer.
func appendInt(b []byte, value int64) []byte {
	if value < 0 {
		return appendHead(b, negative, uint64(^value))
	}
	return appendHead(b, unsigned, uint64(value))
}

// head is the beginning of an item as it was read.
type head struct {
	major byte
	// info has the five low bits of the first byte: what a simple value or a float is.
	info     byte
	argument uint64
}

func (h head) String() string {
	switch h.major {
	case unsigned, negative:
		return "an integer"
	case byteString:
		return "bytes"
	case text:
		return "a text"
	case array:
		return "an array"
	case mapping:
		return "a map"
	case tag:
		return "a tag"
	}
	return "a simple value or float"
}

// reader reads items off the front of its bytes.
type reader struct {
	data []byte
	// at is how many of them were read.
	at int
}

// left returns how many bytes are left.
func (r *reader) left() int { return len(r.data) - r.at }

// head reads the beginning of an item.
func (r *reader) head() (head, error) {
	if r.at >= len(r.data) {
		return head{}, fmt.Errorf("an item is missing: the bytes end")
	}
	first := r.data[r.at]
	h := head{major: first >> 5, info: first & 31}
	r.at++
	if h.info < 24 {
		h.argument = uint64(h.info)
		return h, nil
	}
	if h.info > 27 {
		return h, fmt.Errorf("the byte %#02x begins no item of definite length", first)
	}
	length := 1 << (h.info - 24)
	if r.left() < length {
		return h, fmt.Errorf("a number of %d bytes with %d left", length, r.left())
	}
	for _, b := range r.data[r.at : r.at+length] {
		h.argument = h.argument<<8 | uint64(b)
	}
	r.at += length
	if !h.isShortest() {
		return h, fmt.Errorf("the number %d is not in its shortest form", h.argument)
	}
	return h, nil
}

// isShortest says whether an argument behind the first byte could not have been shorter. Floats are judged by their values.
func (h head) isShortest() bool {
	switch h.info {
	case 24:
		return h.argument >= 24 && (h.major != simple || h.argument >= 32)
	case 25:
		return h.major == simple || h.argument > 0xff
	case 26:
		return h.major == simple || h.argument > 0xffff
	}
	return h.major == simple || h.argument > 0xffff_ffff
}

// expect reads the beginning of an item of this major type, and returns its argument.
func (r *reader) expect(major byte) (uint64, error) {
	if r.at < len(r.data) {
		// Most are one byte.
		if small := r.data[r.at] - major<<5; small < 24 {
			r.at++
			return uint64(small), nil
		}
	}
	h, err := r.head()
	if err == nil && h.major != major {
		err = fmt.Errorf("%v where %v was expected", h, head{major: major})
	}
	return h.argument, err
}

// count reads the beginning of an array or a map: each of its items is a byte at least.
func (r *reader) count(major byte) (int, error) {
	count, err := r.expect(major)
	if err == nil && count > uint64(r.left()) {
		err = fmt.Errorf("%d items in %d bytes", count, r.left())
	}
	return int(count), err
}

// bytes reads a text or a byte string; the result is a part of what is read.
func (r *reader) bytes(major byte) ([]byte, error) {
	length, err := r.expect(major)
	if err != nil {
		return nil, err
	}
	if length > uint64(r.left()) {
		return nil, fmt.Errorf("an item of %d bytes with %d left", length, r.left())
	}
	end := r.at + int(length)
	taken := r.data[r.at:end:end]
	r.at = end
	return taken, nil
}

// isNull says whether the next item is null, and reads it where it is.
func (r *reader) isNull() bool {
	if r.left() == 0 || r.data[r.at] != itemNull {
		return false
	}
	r.at++
	return true
}
