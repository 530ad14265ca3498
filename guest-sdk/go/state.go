package weir

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"weir/internal/cbor"
)

// state is a handle as the run of a call drives it.
type state interface {
	// describe builds the codecs and returns what the author's type says of the state.
	describe() (stateShape, error)
	// bind names the state and shows the handle what is being worked on.
	bind(declared stateDecl, now *current)
	// begin begins a call; values is what came with it.
	begin(values *keyedColumn)
	// finish ends a call: what was written is added to the effects.
	finish(e *effects) *stateFault
	// merge appends to both, for each pair of values, the value of both.
	merge(earlier, later, both *column) error
}

// stateShape is what the type of a handle says.
type stateShape struct {
	kind   stateKind
	schema string
	merges bool
}

// stateDecl is a state as it is declared.
type stateDecl struct {
	stateShape
	stateTag
	number uint32
}

// stateFault says that what was written for a key cannot be encoded.
type stateFault struct {
	key     uint32
	message string
}

// place is what every handle knows of itself.
type place struct {
	name   string
	number uint32
	now    *current
	// isTouched says for each key whether its state was handed out; nil where nobody asks.
	isTouched []bool
	asksReads bool
	touched   []uint32
	// looker makes ready what is shown of a key.
	looker interface{ lookAt(key uint32) }
}

// look is a call that costs its callers little of what may be a part of the author's function.
//
//go:noinline
func (p *place) look() { p.looker.lookAt(p.now.key) }

func (p *place) bind(declared stateDecl, now *current) {
	p.name, p.number, p.now = declared.name, declared.number, now
	p.asksReads = declared.ttl != nil && declared.ttl.refreshOnRead
}

func (p *place) begin() {
	p.touched = p.touched[:0]
	if p.asksReads {
		p.isTouched = resized(p.isTouched, p.now.keys)
	}
}

// key returns the index of the key that is shown. It fails the record where there is none.
func (p *place) key() uint32 {
	if int(p.now.key) >= p.now.keys {
		panic(p)
	}
	return p.now.key
}

// Error is what a panic with a place means: it was asked for what is shown of a key, and there is none.
func (p *place) Error() string {
	return fmt.Sprintf("state `%s` needs a key, and this input is not keyed: give it `by = \"key\"` in the job file", p.name)
}

// noteRead notes that something of the shown key's state has been handed out, where reads renew it.
func (p *place) noteRead() {
	if p.asksReads && !p.isTouched[p.now.key] {
		p.isTouched[p.now.key] = true
	}
}

// finishReads adds the keys that were read, but for those that are written and renewed by that.
func (p *place) finishReads(written []uint32, e *effects) {
	if !p.asksReads {
		return
	}
	for _, key := range written {
		p.isTouched[key] = false
	}
	for key, is := range p.isTouched {
		if is {
			p.touched = append(p.touched, uint32(key))
		}
	}
	if len(p.touched) > 0 {
		e.touched = append(e.touched, touch{p.number, p.touched})
	}
}

// failed fails the record with an error of its encoding.
func (p *place) failed(attempt string, err error) { fail("%s", p.said(attempt, err)) }

func (p *place) said(attempt string, err error) string {
	return fmt.Sprintf("%s state `%s`: %v", attempt, p.name, err)
}

// resized returns a slice of so many zero values, in the memory of another where that is enough.
func resized[T any](old []T, length int) []T {
	if cap(old) < length {
		return make([]T, length)
	}
	old = old[:length]
	clear(old)
	return old
}

// RawState is a type whose bytes in state are its own, for where nanoseconds count; its pointer has these methods. The same value must always have the
// same bytes, and other languages and tools cannot read them.
type RawState interface {
	// AppendState appends the bytes of the value.
	AppendState(b []byte) []byte
	// DecodeState reads the value that data, all of it, stands for, and keeps nothing of data. It is an error where it stands for none.
	DecodeState(data []byte) error
}

// PlainState is a type that is kept as it lies in memory, the fastest of all: numbers of 8 to 64 bits, little-endian as everything here, in structs and arrays
// without gaps.
type PlainState interface {
	// PlainState does nothing: to have it says enough.
	PlainState()
}

// checkPlain refuses types whose bytes in memory would not be the same everywhere, or not stand for a value.
func checkPlain(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return nil
	case reflect.Array:
		return checkPlain(t.Elem())
	case reflect.Struct:
		size := uintptr(0)
		for i := range t.NumField() {
			if err := checkPlain(t.Field(i).Type); err != nil {
				return err
			}
			size += t.Field(i).Type.Size()
		}
		if size == t.Size() {
			return nil
		}
		return fmt.Errorf("%v is not plain: it has gaps between its fields", t)
	}
	return fmt.Errorf("%v is not plain: numbers of 8 to 64 bits are, and structs and arrays of them", t)
}

// RawBytes is kept as it is.
type RawBytes []byte

// AppendState appends the bytes.
func (r *RawBytes) AppendState(b []byte) []byte { return append(b, *r...) }

// DecodeState takes a copy of the bytes.
func (r *RawBytes) DecodeState(data []byte) error {
	*r = slices.Clone(data)
	return nil
}

// codec writes and reads the values of one type.
type codec[T any] struct {
	schema      string
	hasPointers bool
	// isPlain says that a value is kept as it lies in memory.
	isPlain bool
	cbor    *cbor.Codec
	// raw is a [RawState] of another value of this type, of which the two words of an interface are taken.
	raw RawState
}

// codecOf builds the codec of a type.
func codecOf[T any]() (codec[T], error) {
	t := reflect.TypeFor[T]()
	if _, ok := any(new(T)).(PlainState); ok {
		return codec[T]{schema: "raw", isPlain: true}, checkPlain(t)
	}
	if raw, ok := any(new(T)).(RawState); ok {
		return codec[T]{schema: "raw", hasPointers: hasPointers(t), raw: raw}, nil
	}
	built, err := cbor.Of(t)
	if err != nil {
		return codec[T]{}, err
	}
	return codec[T]{schema: built.Schema, hasPointers: built.HasPointers, cbor: built}, nil
}

// flat returns how columns of values are written and read; nil where the type is not flat.
func (c *codec[T]) flat() *cbor.Flat {
	if c.cbor == nil {
		return nil
	}
	return c.cbor.Flat
}

// rawAt returns the methods of the value that p points at, without looking them up again.
func (c *codec[T]) rawAt(p *T) RawState {
	raw := c.raw
	(*[2]unsafe.Pointer)(unsafe.Pointer(&raw))[1] = unsafe.Pointer(p)
	return raw
}

func (c *codec[T]) append(b []byte, p *T) ([]byte, error) {
	switch {
	case c.isPlain:
		return append(b, unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p))...), nil
	case c.raw != nil:
		return c.rawAt(p).AppendState(b), nil
	}
	return c.cbor.Append(b, unsafe.Pointer(p))
}

func (c *codec[T]) decode(data []byte, p *T) error {
	switch {
	case c.isPlain:
		if uintptr(len(data)) != unsafe.Sizeof(*p) {
			return fmt.Errorf("%d bytes where %d were expected", len(data), unsafe.Sizeof(*p))
		}
		copy(unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p)), data)
		return nil
	case c.raw != nil:
		var none T
		*p = none
		return c.rawAt(p).DecodeState(data)
	}
	return c.cbor.Decode(data, unsafe.Pointer(p))
}

// hasPointers says whether a value of a type keeps others alive.
func hasPointers(t reflect.Type) bool {
	switch {
	case t.Kind() <= reflect.Complex128:
		return false
	case t.Kind() == reflect.Array:
		return hasPointers(t.Elem())
	case t.Kind() == reflect.Struct:
		return slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return hasPointers(f.Type) })
	}
	return true
}

// mapSchema describes a map state; one of raw keys or values is raw as a whole.
func mapSchema(key, value string) string {
	if key == "raw" || value == "raw" {
		return "raw"
	}
	return "map<" + key + "," + value + ">"
}
