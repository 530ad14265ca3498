package weir

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"weir/internal/cbor"
)

// What the tags of an operator's fields say: `weir:"NAME,option,option=value"`.

// fieldTag is a tag that was read.
type fieldTag struct {
	name    string
	options map[string]string
}

// What the tags of each kind of field may say besides a name.
const (
	stateOptions  = "a state's are version=N, ttl=DURATION, time=event or time=processing, refresh=read or refresh=write"
	inputOptions  = "an input's are by=key or by=broadcast, accepts=ID/VERSION"
	outputOptions = "an output's are main, schema=ID/VERSION"
	timerOptions  = "a timer has none"
)

// readTag reads the tag of a handle's field. The name is the field's where the tag gives none.
func readTag(f reflect.StructField) (fieldTag, error) {
	said, ok := f.Tag.Lookup(cbor.TagKey)
	if !ok && cbor.IsMeant(f.Tag) {
		return fieldTag{}, errors.New("the tag is not written as Go reads tags: `weir:\"NAME,option=value\"`, without a space behind the colon")
	}
	name, rest, _ := strings.Cut(said, ",")
	tag := fieldTag{name: name, options: map[string]string{}}
	if tag.name == "" {
		tag.name = f.Name
	}
	if !isName(tag.name) {
		return tag, fmt.Errorf("%q is no name: it has 1 to 64 of the characters A-Z a-z 0-9 _ -", tag.name)
	}
	for option := range strings.SplitSeq(rest, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(option), "=")
		if _, isThere := tag.options[key]; isThere {
			return tag, fmt.Errorf("the option %q is said twice", key)
		}
		if key != "" {
			tag.options[key] = value
		}
	}
	return tag, nil
}

// told names the field, and its tag where it has one, in an error about it.
func told(of reflect.Type, f reflect.StructField, err error) error {
	name := f.Name
	if of.Name() != "" {
		name = of.Name() + "." + name
	}
	if f.Tag != "" {
		name = fmt.Sprintf("%s, tagged `%s`", name, f.Tag)
	}
	return fmt.Errorf("the field %s: %w", name, err)
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
		return false, ok, fmt.Errorf("%s is %q or %q, and not %q", option, first, second, value)
	}
	return value == second, ok, nil
}

// done refuses options that nobody took; known says which there are.
func (t *fieldTag) done(known string) error {
	for _, option := range slices.Sorted(maps.Keys(t.options)) {
		return fmt.Errorf("there is no option %q: %s", option, known)
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
			return read, fmt.Errorf("%q is no version: they begin with 1", version)
		}
		read.version = uint32(number)
	}
	var err error
	if read.ttl, err = t.ttl(); err != nil {
		return read, err
	}
	return read, t.done(stateOptions)
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
			return nil, errors.New("time and refresh are said of a time to live: ttl=1h")
		}
		return nil, nil
	}
	ms, ok := durationMs(text)
	if !ok || ms == 0 {
		return nil, fmt.Errorf("%q is no time to live: write one of 1 ms at least as a job file does, like 500ms, 30s, 1h 30m or 7d", text)
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
