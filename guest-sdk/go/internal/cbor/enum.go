package cbor

import (
	"fmt"
	"strings"
	"unsafe"
)

// enumOf builds the codec of an enum: a struct of which exactly one field is set, a pointer to the case's value or a bool for a case without.
func enumOf(l *layout) *Codec {
	encode := func(b []byte, p unsafe.Pointer) ([]byte, error) {
		chosen, err := l.chosen(p)
		if err != nil {
			return b, err
		}
		if chosen.isCase {
			return chosen.key.append(b), nil
		}
		return chosen.codec.Append(chosen.key.append(appendHead(b, mapping, 1)), unsafe.Add(p, chosen.offset))
	}
	decode := func(r *reader, p unsafe.Pointer) error {
		for i := range l.fields {
			l.fields[i].reset(p)
		}
		chosen, err := l.readCase(r)
		if err != nil {
			return err
		}
		at := unsafe.Add(p, chosen.offset)
		if chosen.isCase {
			*(*bool)(at) = true
			return nil
		}
		if err := chosen.codec.decode(r, at); err != nil {
			return err
		}
		if *(*unsafe.Pointer)(at) == nil {
			return fmt.Errorf("the case %s has no value", chosen.name)
		}
		return nil
	}
	described := make([]string, len(l.fields))
	for i, f := range l.fields {
		described[i] = f.name
		if !f.isCase {
			// A pointer is described as an option, and what it points at is the case's value.
			described[i] += "(" + strings.TrimSuffix(strings.TrimPrefix(f.codec.Schema, "option<"), ">") + ")"
		}
	}
	return &Codec{Schema: l.name + "[" + strings.Join(described, ",") + "]", Append: encode, decode: decode}
}

func (f *field) isSet(p unsafe.Pointer) bool {
	at := unsafe.Add(p, f.offset)
	if f.isCase {
		return *(*bool)(at)
	}
	return *(*unsafe.Pointer)(at) != nil
}

func (f *field) reset(p unsafe.Pointer) {
	at := unsafe.Add(p, f.offset)
	if f.isCase {
		*(*bool)(at) = false
	} else {
		*(*unsafe.Pointer)(at) = nil
	}
}

// chosen returns the one case that is set.
func (l *layout) chosen(p unsafe.Pointer) (chosen *field, err error) {
	for i := range l.fields {
		if !l.fields[i].isSet(p) {
			continue
		}
		if chosen != nil {
			return nil, fmt.Errorf("%s is both %s and %s: set one of its fields", l.name, chosen.name, l.fields[i].name)
		}
		chosen = &l.fields[i]
	}
	if chosen == nil {
		return nil, fmt.Errorf("%s is none of its cases: set one of its fields", l.name)
	}
	return chosen, nil
}

// readCase reads which case follows, up to its value.
func (l *layout) readCase(r *reader) (*field, error) {
	hasValue := r.left() > 0 && r.data[r.at]>>5 == mapping
	if hasValue {
		if err := r.exactly(mapping, 1); err != nil {
			return nil, err
		}
	}
	name, err := r.bytes(text)
	if err != nil {
		return nil, err
	}
	for i := range l.fields {
		f := &l.fields[i]
		if f.name == string(name) {
			if f.isCase == hasValue {
				return nil, fmt.Errorf("the case %s stands with a value where it has none, or without where it has one", f.name)
			}
			return f, nil
		}
	}
	return nil, fmt.Errorf("%s has no case %q", l.name, name)
}
