package weir

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"weir/internal/cbor"
)

// What the tags of an operator's fields say: `weir:"NAME,option,option=value"`.

// fieldTag is a tag that was read.
type fieldTag struct {
	field   string
	name    string
	options map[string]string
}

// readTag reads the tag of a handle's field. The name is the field's where the tag gives none.
func readTag(f reflect.StructField) (fieldTag, error) {
	name, rest, _ := strings.Cut(f.Tag.Get(cbor.TagKey), ",")
	tag := fieldTag{field: f.Name, name: name, options: map[string]string{}}
	if tag.name == "" {
		tag.name = f.Name
	}
	if !isName(tag.name) {
		return tag, fmt.Errorf("%s: %q is no name: it has 1 to 64 of the characters A-Z a-z 0-9 _ -", f.Name, tag.name)
	}
	for option := range strings.SplitSeq(rest, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(option), "=")
		if key != "" {
			tag.options[key] = value
		}
	}
	return tag, nil
}

func isName(name string) bool {
	if len(name) == 0 || len(name) > 64 {
		return false
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// take returns an option and forgets it.
func (t *fieldTag) take(option string) (value string, ok bool) {
	value, ok = t.options[option]
	delete(t.options, option)
	return value, ok
}

// takeOneOf takes an option of two values, of which the first is meant where none is said, and says whether it is the second.
func (t *fieldTag) takeOneOf(option, first, second string) (isSecond, isSaid bool, err error) {
	value, ok := t.take(option)
	if ok && value != first && value != second {
		return false, ok, fmt.Errorf("%s: %s is %q or %q, and not %q", t.field, option, first, second, value)
	}
	return value == second, ok, nil
}

// done refuses options that nobody took.
func (t *fieldTag) done() error {
	for option := range t.options {
		return fmt.Errorf("%s: the tag says %q, which means nothing here", t.field, option)
	}
	return nil
}

// stateTag is what the tag of a state says.
type stateTag struct {
	name    string
	version uint32
	ttl     *ttl
}

// ttl is a time to live.
type ttl struct {
	ms            uint64
	domain        timeDomain
	refreshOnRead bool
}

// state reads the tag as a state's.
func (t *fieldTag) state() (stateTag, error) {
	read := stateTag{name: t.name, version: 1}
	if version, ok := t.take("version"); ok {
		number, err := strconv.ParseUint(version, 10, 32)
		if err != nil || number == 0 {
			return read, fmt.Errorf("%s: %q is no version: they begin with 1", t.field, version)
		}
		read.version = uint32(number)
	}
	var err error
	if read.ttl, err = t.ttl(); err != nil {
		return read, err
	}
	return read, t.done()
}

// ttl reads `ttl=1h,time=event,refresh=read`.
func (t *fieldTag) ttl() (*ttl, error) {
	byEvent, saysTime, err := t.takeOneOf("time", "processing", "event")
	if err != nil {
		return nil, err
	}
	onRead, saysRefresh, err := t.takeOneOf("refresh", "write", "read")
	if err != nil {
		return nil, err
	}
	text, ok := t.take("ttl")
	if !ok {
		if saysTime || saysRefresh {
			return nil, fmt.Errorf("%s: time and refresh are said of a time to live: ttl=1h", t.field)
		}
		return nil, nil
	}
	ms, ok := durationMs(text)
	if !ok || ms == 0 {
		return nil, fmt.Errorf("%s: %q is no time to live: write one of 1 ms at least as a job file does, like 500ms, 30s, 1h 30m or 7d", t.field, text)
	}
	read := &ttl{ms: ms, domain: processingTime, refreshOnRead: onRead}
	if byEvent {
		read.domain = eventTime
	}
	return read, nil
}

// durationMs returns the ms of a duration as a job file writes it: 1h, or 1h 30m.
func durationMs(text string) (ms uint64, ok bool) {
	units := map[string]uint64{"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
	for part := range strings.FieldsSeq(text) {
		digits := len(part) - len(strings.TrimLeft(part, "0123456789"))
		count, err := strconv.ParseUint(part[:digits], 10, 64)
		unit, known := units[part[digits:]]
		if err != nil || !known || count > (math.MaxUint64-ms)/unit {
			return 0, false
		}
		ms, ok = ms+count*unit, true
	}
	return ms, ok
}
