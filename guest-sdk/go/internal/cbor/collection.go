package cbor

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// sliceOf builds the codec of a slice: an array of any length. A nil one is empty. A []byte is a byte string.
func sliceOf(t reflect.Type, outer []reflect.Type) (*Codec, error) {
	if t.Elem() == reflect.TypeFor[byte]() {
		return &Codec{Schema: "bytes", HasPointers: true, Append: encodeBytes, decode: decodeBytes}, nil
	}
	item, err := build(t.Elem(), outer)
	if err != nil {
		return nil, err
	}
	size := t.Elem().Size()
	encode := func(b []byte, p unsafe.Pointer) ([]byte, error) {
		// Of every slice the first two words are where it is and how long it is.
		items := *(*[]struct{})(p)
		return encodeItems(item, appendHead(b, array, uint64(len(items))), unsafe.Pointer(unsafe.SliceData(items)), len(items), size)
	}
	decode := func(r *reader, p unsafe.Pointer) error {
		count, err := r.count(array)
		if err != nil {
			return err
		}
		items := reflect.MakeSlice(t, count, count)
		reflect.NewAt(t, p).Elem().Set(items)
		return decodeItems(item, r, items.UnsafePointer(), count, size)
	}
	return &Codec{Schema: "list<" + item.Schema + ">", HasPointers: true, Append: encode, decode: decode}, nil
}

// arrayOf builds the codec of a Go array: a tuple of its items.
func arrayOf(t reflect.Type, outer []reflect.Type) (*Codec, error) {
	count, size := t.Len(), t.Elem().Size()
	item, err := build(t.Elem(), outer)
	if err != nil {
		return nil, err
	}
	if count == 0 {
		return nil, fmt.Errorf("a %v has no items", t)
	}
	encode := func(b []byte, p unsafe.Pointer) ([]byte, error) {
		return encodeItems(item, appendHead(b, array, uint64(count)), p, count, size)
	}
	decode := func(r *reader, p unsafe.Pointer) error {
		if err := r.exactly(array, count); err != nil {
			return err
		}
		return decodeItems(item, r, p, count, size)
	}
	schema := "tuple<" + strings.Repeat(item.Schema+",", count-1) + item.Schema + ">"
	return &Codec{Schema: schema, HasPointers: item.HasPointers, Append: encode, decode: decode}, nil
}

func encodeItems(item *Codec, b []byte, p unsafe.Pointer, count int, size uintptr) (_ []byte, err error) {
	for i := range count {
		if b, err = item.Append(b, unsafe.Add(p, uintptr(i)*size)); err != nil {
			return b, err
		}
	}
	return b, nil
}

func decodeItems(item *Codec, r *reader, p unsafe.Pointer, count int, size uintptr) error {
	for i := range count {
		if err := item.decode(r, unsafe.Add(p, uintptr(i)*size)); err != nil {
			return err
		}
	}
	return nil
}

// exactly reads the beginning of an array or a map with so many items.
func (r *reader) exactly(major byte, count int) error {
	is, err := r.count(major)
	if err == nil && is != count {
		err = fmt.Errorf("%d items where %d were expected", is, count)
	}
	return err
}

// mapOf builds the codec of a map: its entries in the order of their encoded keys. A nil one is empty.
func mapOf(t reflect.Type, outer []reflect.Type) (*Codec, error) {
	key, err := build(t.Key(), outer)
	if err != nil {
		return nil, err
	}
	value, err := build(t.Elem(), outer)
	if err != nil {
		return nil, err
	}
	encode := func(b []byte, p unsafe.Pointer) ([]byte, error) {
		entries := reflect.NewAt(t, p).Elem()
		return encodeEntries(key, value, appendHead(b, mapping, uint64(entries.Len())), entries)
	}
	decode := func(r *reader, p unsafe.Pointer) error {
		entries := reflect.MakeMap(t)
		reflect.NewAt(t, p).Elem().Set(entries)
		return decodeEntries(key, value, r, entries)
	}
	schema := "map<" + key.Schema + "," + value.Schema + ">"
	return &Codec{Schema: schema, HasPointers: true, Append: encode, decode: decode}, nil
}

func encodeEntries(key, value *Codec, b []byte, entries reflect.Value) (_ []byte, err error) {
	type entry struct{ key, both []byte }
	encoded := make([]entry, 0, entries.Len())
	k, v := reflect.New(entries.Type().Key()), reflect.New(entries.Type().Elem())
	for each := entries.MapRange(); each.Next(); {
		k.Elem().SetIterKey(each)
		v.Elem().SetIterValue(each)
		var both []byte
		if both, err = key.Append(nil, k.UnsafePointer()); err != nil {
			return b, err
		}
		length := len(both)
		if both, err = value.Append(both, v.UnsafePointer()); err != nil {
			return b, err
		}
		encoded = append(encoded, entry{both[:length], both})
	}
	slices.SortFunc(encoded, func(one, other entry) int { return bytes.Compare(one.key, other.key) })
	for i, entry := range encoded {
		// Two of Go's keys may have one encoding: NaNs have.
		if i > 0 && bytes.Equal(encoded[i-1].key, entry.key) {
			return b, fmt.Errorf("a map has one key twice")
		}
		b = append(b, entry.both...)
	}
	return b, nil
}

func decodeEntries(key, value *Codec, r *reader, entries reflect.Value) error {
	count, err := r.count(mapping)
	if err != nil {
		return err
	}
	var previous []byte
	for i := range count {
		// Each in memory of its own: what is decoded may point at it.
		k, v := reflect.New(entries.Type().Key()), reflect.New(entries.Type().Elem())
		before := r.at
		if err := key.decode(r, k.UnsafePointer()); err != nil {
			return err
		}
		encoded := r.data[before:r.at]
		if i > 0 && bytes.Compare(previous, encoded) >= 0 {
			return fmt.Errorf("the keys of a map are not in order, or one stands twice")
		}
		previous = encoded
		if err := value.decode(r, v.UnsafePointer()); err != nil {
			return err
		}
		entries.SetMapIndex(k.Elem(), v.Elem())
	}
	return nil
}
