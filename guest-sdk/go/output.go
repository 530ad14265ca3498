package weir

// An Output is one of the operator's outputs besides the main one: a field with a tag that names it, like `weir:"rejected"`. The main one is called
// out and reached through [Context]; a field with the tag `weir:"NAME,main"` gives it another name.
type Output struct {
	buffer *outputBuffer
}

// Pass lets the record that is being worked on go to this output as it came: key, value, time and headers. Nothing is copied for it. It stands before
// whatever else the record emits to this output, and goes there once, however often this is called. Timers and windows are no records: they fail.
func (o *Output) Pass() { o.buffer.pass() }

// Emit emits a value under the key, time and headers of the record that is being worked on. Of a timer the time is when it was due, and of a window its
// last ms. A nil value is an empty one; [Output.EmitAbsent] emits a record without.
func (o *Output) Emit(value []byte) { o.buffer.emit(value) }

// EmitString emits a text as [Output.Emit] does.
func (o *Output) EmitString(value string) { o.buffer.emitString(value) }

// EmitAppend emits, as [Output.Emit] does, what write appends to the slice that it is given, which it returns. The slice holds the values before it.
func (o *Output) EmitAppend(write func(b []byte) []byte) { o.buffer.emitAppend(write) }

// EmitJSON emits a value as JSON, as [Output.Emit] does. It is an error where the value has none.
func (o *Output) EmitJSON(value any) error { return o.buffer.emitJSON(value) }

// EmitKeyed emits a value under a key of its own. A nil key is an empty one; [NewRecord.WithoutKey] makes a record without.
func (o *Output) EmitKeyed(key, value []byte) { o.buffer.emitKeyed(key, value) }

// EmitAbsent emits a record without a value, the delete of a keyed stream, under the key, time and headers of the record that is being worked on.
func (o *Output) EmitAbsent() { o.buffer.emitAbsent() }

// EmitRecord emits a record that says for itself which of value, key, time and headers it has.
func (o *Output) EmitRecord(record NewRecord) { o.buffer.emitRecord(record) }

// A NewRecord says for itself what it is made of; what it does not say it has from the record that it comes from. The bytes that it is given are
// copied when it is emitted.
type NewRecord struct {
	value, key []byte
	timestamp  int64
	headers    []Header
	hasValue   bool
	own        ownership
}

// ownership says what a record does not have from its cause.
type ownership uint8

const (
	ownKey ownership = 1 << iota
	ownAbsentKey
	ownTime
	ownHeaders
)

// Value makes a record with this value; a nil one is empty.
func Value(value []byte) NewRecord { return NewRecord{value: value, hasValue: true} }

// Absent makes a record without a value: the delete of a keyed stream.
func Absent() NewRecord { return NewRecord{} }

// WithKey returns the record under this key; a nil one is empty.
func (r NewRecord) WithKey(key []byte) NewRecord {
	r.key, r.own = key, r.own&^ownAbsentKey|ownKey
	return r
}

// WithoutKey returns the record without a key.
func (r NewRecord) WithoutKey() NewRecord {
	r.key, r.own = nil, r.own&^ownKey|ownAbsentKey
	return r
}

// At returns the record at this event time, ms since the Unix epoch.
func (r NewRecord) At(ms int64) NewRecord {
	r.timestamp, r.own = ms, r.own|ownTime
	return r
}

// WithoutTime returns the record without an event time.
func (r NewRecord) WithoutTime() NewRecord { return r.At(noTime) }

// WithHeaders returns the record with these headers and no others.
func (r NewRecord) WithHeaders(headers ...Header) NewRecord {
	r.headers, r.own = headers, r.own|ownHeaders
	return r
}
