package cbor

import (
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"
	"unsafe"
)

// scalars has the codecs of types that are a word of the grammar, texts excepted.
var scalars = map[reflect.Kind]Codec{
	reflect.Bool:    {Schema: "bool", Append: encodeBool, decode: decodeBool},
	reflect.Uint8:   unsignedOf[uint8]("u8"),
	reflect.Uint16:  unsignedOf[uint16]("u16"),
	reflect.Uint32:  unsignedOf[uint32]("u32"),
	reflect.Uint64:  unsignedOf[uint64]("u64"),
	reflect.Uint:    unsignedOf[uint]("u64"),
	reflect.Int8:    signedOf[int8]("i8"),
	reflect.Int16:   signedOf[int16]("i16"),
	reflect.Int32:   signedOf[int32]("i32"),
	reflect.Int64:   signedOf[int64]("i64"),
	reflect.Int:     signedOf[int]("i64"),
	reflect.Float32: {Schema: "f32", Append: encodeFloat32, decode: decodeFloat32},
	reflect.Float64: {Schema: "f64", Append: encodeFloat64, decode: decodeFloat64},
}

func unsignedOf[T uint8 | uint16 | uint32 | uint64 | uint](schema string) Codec {
	return Codec{
		Schema: schema,
		Append: func(b []byte, p unsafe.Pointer) ([]byte, error) {
			return appendHead(b, unsigned, uint64(*(*T)(p))), nil
		},
		decode: func(r *reader, p unsafe.Pointer) error {
			argument, err := r.expect(unsigned)
			if err == nil && argument > uint64(^T(0)) {
				err = fmt.Errorf("%d is no %s", argument, schema)
			}
			*(*T)(p) = T(argument)
			return err
		},
	}
}

func signedOf[T int8 | int16 | int32 | int64 | int](schema string) Codec {
	return Codec{
		Schema: schema,
		Append: func(b []byte, p unsafe.Pointer) ([]byte, error) { return appendInt(b, int64(*(*T)(p))), nil },
		decode: func(r *reader, p unsafe.Pointer) error {
			value, err := r.int()
			if err == nil && int64(T(value)) != value {
				err = fmt.Errorf("%d is no %s", value, schema)
			}
			*(*T)(p) = T(value)
			return err
		},
	}
}

// int reads an integer of either sign.
func (r *reader) int() (int64, error) {
	h, err := r.head()
	switch {
	case err != nil:
		return 0, err
	case h.major != unsigned && h.major != negative:
		return 0, fmt.Errorf("%v where an integer was expected", h)
	case h.argument > math.MaxInt64:
		return 0, fmt.Errorf("an integer is beyond those of 64 bits")
	case h.major == negative:
		return ^int64(h.argument), nil
	}
	return int64(h.argument), nil
}

func encodeBool(b []byte, p unsafe.Pointer) ([]byte, error) {
	if *(*bool)(p) {
		return append(b, itemTrue), nil
	}
	return append(b, itemFalse), nil
}

func decodeBool(r *reader, p unsafe.Pointer) error {
	if r.left() == 0 || r.data[r.at] != itemTrue && r.data[r.at] != itemFalse {
		return fmt.Errorf("neither true nor false where one was expected")
	}
	*(*bool)(p) = r.data[r.at] == itemTrue
	r.at++
	return nil
}

func encodeFloat32(b []byte, p unsafe.Pointer) ([]byte, error) {
	return appendFloat(b, float64(*(*float32)(p))), nil
}

func decodeFloat32(r *reader, p unsafe.Pointer) error {
	value, err := r.float()
	*(*float32)(p) = float32(value)
	if err == nil && value == value && float64(float32(value)) != value {
		err = fmt.Errorf("%v is no f32", value)
	}
	return err
}

func encodeFloat64(b []byte, p unsafe.Pointer) ([]byte, error) {
	return appendFloat(b, *(*float64)(p)), nil
}

func decodeFloat64(r *reader, p unsafe.Pointer) (err error) {
	*(*float64)(p), err = r.float()
	return err
}

func encodeString(b []byte, p unsafe.Pointer) ([]byte, error) {
	value := *(*string)(p)
	if !utf8.ValidString(value) {
		return b, fmt.Errorf("a text is not UTF-8: keep it as []byte")
	}
	return append(appendHead(b, text, uint64(len(value))), value...), nil
}

func decodeString(r *reader, p unsafe.Pointer) error {
	value, err := r.bytes(text)
	if err == nil && !utf8.Valid(value) {
		err = fmt.Errorf("a text is not UTF-8")
	}
	*(*string)(p) = string(value)
	return err
}

func encodeBytes(b []byte, p unsafe.Pointer) ([]byte, error) {
	value := *(*[]byte)(p)
	return append(appendHead(b, byteString, uint64(len(value))), value...), nil
}

func decodeBytes(r *reader, p unsafe.Pointer) error {
	value, err := r.bytes(byteString)
	*(*[]byte)(p) = append([]byte{}, value...)
	return err
}
