package cbor

import (
	"fmt"
	"reflect"
	"unsafe"
)

// depthMax is how deep values may be nested: deep enough for any state, and no deeper than other languages read.
const depthMax = 64

// Codec writes and reads the values of one type.
type Codec struct {
	// Schema describes the type in the grammar of wit/schema.md.
	Schema string
	// HasPointers says whether a value keeps others alive.
	HasPointers bool
	// Flat writes and reads columns of the type; nil where it is not flat.
	Flat *Flat

	// Append appends the encoding of the value that p points at, which is of the codec's type. After an error b may end in a part of it.
	Append func(b []byte, p unsafe.Pointer) ([]byte, error)

	decode decoder
	// reader is what Decode reads by: its own would not stay on the stack.
	reader reader
}

// A decoder reads one item into what p points at, and overwrites all of it.
type decoder func(r *reader, p unsafe.Pointer) error

// Decode reads the value that data, all of it, encodes, into what p points at, which is of the codec's type. It keeps nothing of data.
func (c *Codec) Decode(data []byte, p unsafe.Pointer) error {
	r := &c.reader
	r.data, r.at = data, 0
	if err := c.decode(r, p); err != nil {
		return err
	}
	if left := r.left(); left > 0 {
		return fmt.Errorf("%d bytes follow the value", left)
	}
	return nil
}

// Of builds the codec of a type. An error says why the type has none.
func Of(t reflect.Type) (*Codec, error) {
	return build(t, nil)
}

// build builds the codec of a type inside the types of outer.
func build(t reflect.Type, outer []reflect.Type) (*Codec, error) {
	for _, other := range outer {
		if other == t && t.Name() != "" {
			return nil, fmt.Errorf("%v contains itself", t)
		}
	}
	if len(outer) > depthMax {
		return nil, fmt.Errorf("%v is nested deeper than %d", t, depthMax)
	}
	outer = append(outer[:len(outer):len(outer)], t)
	if scalar, ok := scalars[t.Kind()]; ok {
		scalar.Flat = flatOf(t, nil, []field{{kind: t.Kind()}})
		return &scalar, nil
	}
	switch t.Kind() {
	case reflect.String:
		return &Codec{Schema: "string", HasPointers: true, Append: encodeString, decode: decodeString}, nil
	case reflect.Slice:
		return sliceOf(t, outer)
	case reflect.Array:
		return arrayOf(t, outer)
	case reflect.Map:
		return mapOf(t, outer)
	case reflect.Pointer:
		return optionOf(t, outer)
	case reflect.Struct:
		return structOf(t, outer)
	}
	return nil, fmt.Errorf("a %v cannot be kept", t)
}

// optionOf builds the codec of a pointer: nil is null.
func optionOf(t reflect.Type, outer []reflect.Type) (*Codec, error) {
	inner, err := build(t.Elem(), outer)
	if err != nil {
		return nil, err
	}
	if inner.isNullable() {
		return nil, fmt.Errorf("a %v has two encodings of null", t)
	}
	encode := func(b []byte, p unsafe.Pointer) ([]byte, error) {
		to := *(*unsafe.Pointer)(p)
		if to == nil {
			return append(b, itemNull), nil
		}
		return inner.Append(b, to)
	}
	decode := func(r *reader, p unsafe.Pointer) error {
		if r.isNull() {
			*(*unsafe.Pointer)(p) = nil
			return nil
		}
		fresh := reflect.New(t.Elem()).UnsafePointer()
		*(*unsafe.Pointer)(p) = fresh
		return inner.decode(r, fresh)
	}
	return &Codec{Schema: "option<" + inner.Schema + ">", HasPointers: true, Append: encode, decode: decode}, nil
}

// isNullable says whether a value may be encoded as null.
func (c *Codec) isNullable() bool {
	return c.Schema == "unit" || len(c.Schema) > 7 && c.Schema[:7] == "option<"
}

// unit is the codec of a value that says nothing.
var unit = Codec{
	Schema: "unit",
	Append: func(b []byte, _ unsafe.Pointer) ([]byte, error) { return append(b, itemNull), nil },
	decode: func(r *reader, _ unsafe.Pointer) error {
		if !r.isNull() {
			return fmt.Errorf("no null where one was expected")
		}
		return nil
	},
}
