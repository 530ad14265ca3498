package weir

import (
	"encoding/json"
	"unsafe"
)

// outputBuffer has the columns of one output.
//
// A record that inherits its cause's key, time and headers costs no more than its value: the columns for keys, times and headers begin with the
// first record that has its own, and are then filled up for those before it. A record that passes as it came costs a bit.
type outputBuffer struct {
	now *current
	outputColumns
	// isExplicit says that a record has a key, a time or headers of its own.
	isExplicit        bool
	hasKeys, hasTimes bool
	json              *json.Encoder
}

// begin forgets the call before. What was made room for stays.
func (b *outputBuffer) begin() {
	b.passes, b.cause, b.valueless, b.keyless = b.passes[:0], b.cause[:0], b.valueless[:0], b.keyless[:0]
	b.timestamps = b.timestamps[:0]
	b.values.reset()
	b.keys.reset()
	b.headers.reset()
	b.isExplicit, b.hasKeys, b.hasTimes, b.hasHeaders = false, false, false, false
}

// isEmpty says whether nothing was emitted and nothing passes.
func (b *outputBuffer) isEmpty() bool { return len(b.cause) == 0 && len(b.passes) == 0 }

func (b *outputBuffer) pass() {
	if len(b.passes) == 0 {
		b.beginPasses()
	}
	b.passes[b.now.record/8] |= 1 << (b.now.record % 8)
}

func (b *outputBuffer) beginPasses() {
	records := len(b.now.batch.values.ends)
	if records == 0 {
		fail("only a record passes, and this is called for a timer or a window: emit what it comes to")
	}
	b.passes = append(b.passes, make([]byte, (records+7)/8)...)
}

// emit is what nearly every record comes to. A short value that there is room for takes no jump and no call.
func (b *outputBuffer) emit(value []byte) {
	at, length := len(b.values.data), len(value)
	count := len(b.values.ends)
	if length < 8 || length > 16 || at+length > cap(b.values.data) || count == cap(b.values.ends) || len(b.cause) == cap(b.cause) || b.isExplicit {
		b.emitAny(value)
		return
	}
	b.values.data = b.values.data[:at+length]
	to, from := unsafe.Pointer(&b.values.data[at]), unsafe.Pointer(&value[0])
	copyWord(to, from, 0)
	copyWord(to, from, length-8)
	b.values.ends = b.values.ends[:count+1]
	b.values.ends[count] = uint32(at + length)
	made := len(b.cause)
	b.cause = b.cause[:made+1]
	b.cause[made] = b.now.record
}

// emitAny emits a value of any length.
func (b *outputBuffer) emitAny(value []byte) {
	b.values.data = appendBytes(b.values.data, value)
	b.valued()
}

func (b *outputBuffer) emitString(value string) {
	b.values.data = appendBytes(b.values.data, unsafe.Slice(unsafe.StringData(value), len(value)))
	b.valued()
}

// valued ends a value of a record that has everything else from its cause.
func (b *outputBuffer) valued() {
	count, made := len(b.values.ends), len(b.cause)
	if count == cap(b.values.ends) || made == cap(b.cause) || b.isExplicit {
		b.valuedAnew()
		return
	}
	b.values.ends = b.values.ends[:count+1]
	b.values.ends[count] = uint32(len(b.values.data))
	b.cause = b.cause[:made+1]
	b.cause[made] = b.now.record
}

// valuedAnew does the same where columns grow, or are filled up with what is inherited.
func (b *outputBuffer) valuedAnew() {
	b.values.end()
	if b.isExplicit {
		b.inheritAll()
	}
	b.cause = append(b.cause, b.now.record)
}

func (b *outputBuffer) emitAppend(write func(b []byte) []byte) {
	before := len(b.values.data)
	b.values.data = write(b.values.data)
	if len(b.values.data) < before {
		panic(&fault{"the writer of a value shortened the values before it"})
	}
	b.valued()
}

func (b *outputBuffer) emitAbsent() {
	b.valueless = append(b.valueless, uint32(len(b.values.ends)))
	b.valued()
}

// jsonWriter appends to the values of a buffer.
type jsonWriter struct{ to *column }

func (w jsonWriter) Write(p []byte) (int, error) {
	w.to.data = append(w.to.data, p...)
	return len(p), nil
}

func (b *outputBuffer) emitJSON(value any) error {
	if b.json == nil {
		b.json = json.NewEncoder(jsonWriter{&b.values})
		b.json.SetEscapeHTML(false)
	}
	if err := b.json.Encode(value); err != nil {
		return err
	}
	// The encoder writes a whole value or nothing, and a line feed behind it.
	b.values.data = b.values.data[:len(b.values.data)-1]
	b.valued()
	return nil
}

func (b *outputBuffer) emitKeyed(key, value []byte) {
	b.values.push(value)
	b.beginKeys()
	b.pushKey(key, true)
	b.inheritTime()
	b.inheritHeaders()
	b.cause = append(b.cause, b.now.record)
}

func (b *outputBuffer) emitRecord(record NewRecord) {
	if !record.hasValue {
		b.valueless = append(b.valueless, uint32(len(b.values.ends)))
	}
	b.values.push(record.value)
	if record.own&(ownKey|ownAbsentKey) != 0 {
		b.beginKeys()
		b.pushKey(record.key, record.own&ownKey != 0)
	} else {
		b.inheritKey()
	}
	if record.own&ownTime != 0 {
		b.beginTimes()
		b.timestamps = append(b.timestamps, record.timestamp)
	} else {
		b.inheritTime()
	}
	if record.own&ownHeaders != 0 {
		b.beginHeaders()
		for _, header := range record.headers {
			b.headers.names.push([]byte(header.Name))
			b.headers.values.push(header.Value)
		}
		b.headers.ends = append(b.headers.ends, uint32(len(b.headers.names.ends)))
	} else {
		b.inheritHeaders()
	}
	b.cause = append(b.cause, b.now.record)
}
