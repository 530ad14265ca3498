package weir

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Record is one record of an input. It and all bytes that it hands out are valid until the call that it came with returns: copy what is to be
// kept longer than that.
type Record struct {
	of    *current
	index uint32
}

// Header is a name and a value that travel beside a record.
type Header struct {
	Name  string
	Value []byte
}

// Value returns the value's bytes: none where the record has no value, which [Record.HasValue] tells from an empty one.
func (r Record) Value() []byte { return r.of.batch.values.item(int(r.index)) }

// HasValue says whether the record has a value. One without is the delete of a keyed stream, and not one with an empty value.
func (r Record) HasValue() bool {
	valueless := r.of.batch.valueless
	return len(valueless) == 0 || !hasNumber(valueless, r.index)
}

// Text returns the value as text. It is an error where there is none, or it is not UTF-8.
func (r Record) Text() (string, error) {
	if err := r.present(); err != nil {
		return "", err
	}
	value := r.Value()
	if !IsUTF8(value) {
		return "", errors.New("the value is not UTF-8: it is an invalid utf-8 sequence")
	}
	return string(value), nil
}

// JSON reads the value as JSON into what into points at, as [json.Unmarshal] does. It is an error where there is none, or it is no such JSON.
func (r Record) JSON(into any) error {
	if err := r.present(); err != nil {
		return err
	}
	if err := json.Unmarshal(r.Value(), into); err != nil {
		return fmt.Errorf("read the value as JSON: %w", err)
	}
	return nil
}

func (r Record) present() error {
	if !r.HasValue() {
		return errors.New("the record has no value")
	}
	return nil
}

// Key returns the key's bytes: none where the record has no key, which [Record.HasKey] tells from an empty one.
func (r Record) Key() []byte {
	key, _ := r.of.batch.key(r.index)
	return key
}

// HasKey says whether the record has a key. That of an input with by = "key" always has one.
func (r Record) HasKey() bool {
	_, has := r.of.batch.key(r.index)
	return has
}

// Timestamp returns the record's event time, ms since the Unix epoch, if it has one.
func (r Record) Timestamp() (ms int64, ok bool) {
	ms = r.of.batch.timestamps[r.index]
	return ms, ms != noTime
}

// Time returns the record's event time in UTC, if it has one.
func (r Record) Time() (at time.Time, ok bool) {
	ms, ok := r.Timestamp()
	if !ok {
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), true
}

// Headers returns the record's headers, in order. A name may come again.
func (r Record) Headers() []Header {
	from, to := r.of.batch.headerRange(r.index)
	if from == to {
		return nil
	}
	all := make([]Header, 0, to-from)
	h := &r.of.batch.headers
	for i := int(from); i < int(to); i++ {
		all = append(all, Header{string(h.names.item(i)), h.values.item(i)})
	}
	return all
}

// Header returns the value of the last header of this name, if there is one.
func (r Record) Header(name string) (value []byte, ok bool) {
	from, to := r.of.batch.headerRange(r.index)
	h := &r.of.batch.headers
	for i := int(to) - 1; i >= int(from); i-- {
		if string(h.names.item(i)) == name {
			return h.values.item(i), true
		}
	}
	return nil, false
}

// From says whether the record came from an input: one of the operator's fields.
func (r Record) From(input Input) bool { return input.number == r.of.input }
