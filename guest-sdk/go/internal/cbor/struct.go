package cbor

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// TagKey is the key of the struct tags that give fields their names.
const TagKey = "weir"

// IsMeant says whether a tag of a field names the key, though it may not be written as Go reads tags.
func IsMeant(tag reflect.StructTag) bool {
	return strings.HasPrefix(strings.TrimSpace(string(tag)), TagKey)
}

// field is a field of a struct: of a record a field, of a tuple an item, of an enum a case.
type field struct {
	name   string
	key    encodedName
	offset uintptr
	kind   reflect.Kind
	codec  *Codec
	// isCase says of an enum's case that it has no value: a bool says whether it is this one.
	isCase bool
}

// layout is what a struct stands for.
type layout struct {
	name   string
	kind   string
	fields []field
}

// structOf builds the codec of a struct: a record, unless its blank field says "tuple" or "enum".
func structOf(t reflect.Type, outer []reflect.Type) (*Codec, error) {
	if t.NumField() == 0 && t.Name() == "" {
		return &unit, nil
	}
	laid, err := layoutOf(t, outer)
	if err != nil {
		return nil, err
	}
	codec := map[string]func(*layout) *Codec{"": recordOf, "tuple": tupleOf, "enum": enumOf}[laid.kind](laid)
	if laid.kind == "" && len(laid.fields) > 0 {
		codec.Flat = flatOf(t, appendHead(nil, mapping, uint64(len(laid.fields))), laid.ordered())
	}
	for _, field := range laid.fields {
		codec.HasPointers = codec.HasPointers || field.isPointer() || field.codec.HasPointers
	}
	return codec, nil
}

func (f *field) isPointer() bool {
	return f.codec != nil && strings.HasPrefix(f.codec.Schema, "option<")
}

// layoutOf reads the fields of a struct and their tags.
func layoutOf(t reflect.Type, outer []reflect.Type) (*layout, error) {
	laid := &layout{name: typeName(t)}
	seen := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get(TagKey), ",")
		if f.Name == "_" {
			if option != "" && option != "tuple" && option != "enum" {
				return nil, fmt.Errorf("%v: a struct is no %q: it may be \"tuple\" or \"enum\"", t, option)
			}
			laid.kind = option
			if name != "" {
				laid.name = name
			}
			continue
		}
		if name == "-" {
			continue
		}
		if err := checkField(t, f, name, option); err != nil {
			return nil, err
		}
		if name == "" {
			name = f.Name
		}
		if seen[name] {
			return nil, fmt.Errorf("%v has two fields called %q", t, name)
		}
		seen[name] = true
		codec, err := build(f.Type, outer)
		if err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		laid.fields = append(laid.fields, field{name: name, key: encodedNameOf(name), offset: f.Offset, kind: f.Type.Kind(), codec: codec})
	}
	return laid, laid.check(t)
}

// checkField refuses a field that would be lost, or whose name has no description.
func checkField(t reflect.Type, f reflect.StructField, name, option string) error {
	if !f.IsExported() {
		return fmt.Errorf("%v.%s would not be kept: export it, or leave it out with `%s:\"-\"`", t, f.Name, TagKey)
	}
	if f.Anonymous && name == "" {
		return fmt.Errorf("%v.%s is embedded: give it a name by a tag", t, f.Name)
	}
	if _, ok := f.Tag.Lookup(TagKey); !ok && IsMeant(f.Tag) {
		return fmt.Errorf("%v.%s, tagged `%s`: the tag is not written as Go reads tags: `weir:\"NAME\"`, without a space behind the colon", t, f.Name, f.Tag)
	}
	if option != "" {
		return fmt.Errorf("%v.%s, tagged `%s`: there is no option %q: a field of what is kept has a name, or - where it is left out", t, f.Name, f.Tag, option)
	}
	if name != "" && !IsName(name) {
		return fmt.Errorf("%v.%s, tagged `%s`: %q is no name: it begins with a letter and has letters, digits, _ and - alone", t, f.Name, f.Tag, name)
	}
	if name == "" && !IsName(f.Name) {
		return fmt.Errorf("%v.%s has a name outside ASCII: give it another by a tag", t, f.Name)
	}
	return nil
}

// check refuses what has no description, and makes the cases of an enum what they are.
func (l *layout) check(t reflect.Type) error {
	if len(l.fields) == 0 && l.kind != "" {
		return fmt.Errorf("%v is a %s of nothing", t, l.kind)
	}
	for i := range l.fields {
		f := &l.fields[i]
		if l.kind != "enum" {
			continue
		}
		switch {
		case f.codec.Schema == "bool":
			f.isCase = true
		case f.isPointer():
		default:
			return fmt.Errorf("%v: the case %s is neither a pointer to its value nor, without one, a bool", t, f.name)
		}
	}
	return nil
}

// IsName says whether a text is a name in the grammar of descriptions.
func IsName(name string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '_' || c == '-')) {
			return false
		}
	}
	return name != ""
}

// typeName returns the author's name of a type, without its type arguments.
func typeName(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	if !IsName(name) {
		return "struct"
	}
	return name
}

// recordOf builds the codec of a record: a map from the names of its fields to their values.
func recordOf(l *layout) *Codec {
	ordered := l.ordered()
	encode := func(b []byte, p unsafe.Pointer) (_ []byte, err error) {
		b = appendHead(b, mapping, uint64(len(ordered)))
		for i := range ordered {
			f := &ordered[i]
			b = f.key.append(b)
			if b, err = f.codec.Append(b, unsafe.Add(p, f.offset)); err != nil {
				return b, err
			}
		}
		return b, nil
	}
	decode := func(r *reader, p unsafe.Pointer) error {
		if err := r.exactly(mapping, len(ordered)); err != nil {
			return err
		}
		for i := range ordered {
			f := &ordered[i]
			if !f.key.read(r) {
				return fmt.Errorf("the field %s is not where it should be", f.name)
			}
			if err := f.codec.decode(r, unsafe.Add(p, f.offset)); err != nil {
				return err
			}
		}
		return nil
	}
	described := make([]string, len(l.fields))
	for i, f := range l.fields {
		described[i] = f.name + ":" + f.codec.Schema
	}
	return &Codec{Schema: l.name + "{" + strings.Join(described, ",") + "}", Append: encode, decode: decode}
}

// ordered returns the fields of a record in the order of their encoding.
func (l *layout) ordered() []field {
	ordered := slices.Clone(l.fields)
	slices.SortFunc(ordered, func(one, other field) int { return bytes.Compare(one.key.bytes, other.key.bytes) })
	return ordered
}

// tupleOf builds the codec of a tuple: an array of its items.
func tupleOf(l *layout) *Codec {
	encode := func(b []byte, p unsafe.Pointer) (_ []byte, err error) {
		b = appendHead(b, array, uint64(len(l.fields)))
		for _, f := range l.fields {
			if b, err = f.codec.Append(b, unsafe.Add(p, f.offset)); err != nil {
				return b, err
			}
		}
		return b, nil
	}
	decode := func(r *reader, p unsafe.Pointer) error {
		if err := r.exactly(array, len(l.fields)); err != nil {
			return err
		}
		for _, f := range l.fields {
			if err := f.codec.decode(r, unsafe.Add(p, f.offset)); err != nil {
				return err
			}
		}
		return nil
	}
	described := make([]string, len(l.fields))
	for i, f := range l.fields {
		described[i] = f.codec.Schema
	}
	return &Codec{Schema: "tuple<" + strings.Join(described, ",") + ">", Append: encode, decode: decode}
}
