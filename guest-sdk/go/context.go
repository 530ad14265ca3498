package weir

import (
	"time"
)

// current is what is being worked on. All handles of an operator look at the same one.
type current struct {
	operator string
	batch    *batch
	// record is the index of the record, the timer or the window.
	record uint32
	// key is the index of its key; past all keys where the input is not keyed.
	key uint32
	// keys is how many keys bring state: none where the input is not keyed.
	keys int
	// isBroadcast says that the records are those of a broadcast input.
	isBroadcast    bool
	input          uint32
	watermark      int64
	processingTime int64
}

// noKey is the index of the key of what has none.
const noKey = 1<<32 - 1

// window returns the bounds of the window that is being worked on.
func (c *current) window() (Window, bool) {
	b := c.batch
	if !b.isWindowed || len(b.keyOf) == 0 {
		return Window{}, false
	}
	return b.windows.at(int(b.keyOf[c.record]))
}

// A Context is the way to the main output, and says what time it is. States, timers and other outputs are fields of the operator.
type Context struct {
	now     *current
	main    *outputBuffer
	metrics []metric
}

// Watermark returns the event time up to which the input is complete, ms since the Unix epoch, if there is one yet; the largest int64 says that
// the input has ended. It is the same for all records of a batch, and batches may be cut anywhere: what is emitted must not depend on it.
func (c *Context) Watermark() (ms int64, ok bool) { return c.now.watermark, c.now.watermark != noTime }

// ProcessingTime returns what the clock says, in UTC: the same for all records of a batch. There is no other clock; [time.Now] says nothing.
func (c *Context) ProcessingTime() time.Time { return time.UnixMilli(c.now.processingTime).UTC() }

// Window returns the bounds of the window of the record that is being worked on, or of the one that fires. There are none where the operator is not
// windowed, where the window has none (a count, a global one), and where they are not known before it fires (a session).
func (c *Context) Window() (window Window, ok bool) { return c.now.window() }

// Metric adds to the operator's counter of this name: letters, digits, _, - and ., 64 at most.
func (c *Context) Metric(name string, delta int64) {
	for i := range c.metrics {
		if c.metrics[i].name == name {
			c.metrics[i].delta += delta
			return
		}
	}
	c.metrics = append(c.metrics, metric{validText(name), delta})
}

// Pass lets the record go to the main output as it came; see [Output.Pass].
func (c *Context) Pass() { c.main.pass() }

// Emit emits a value to the main output; see [Output.Emit].
func (c *Context) Emit(value []byte) { c.main.emit(value) }

// EmitString emits a text to the main output; see [Output.EmitString].
func (c *Context) EmitString(value string) { c.main.emitString(value) }

// EmitAppend emits what write appends to the main output; see [Output.EmitAppend].
func (c *Context) EmitAppend(write func(b []byte) []byte) { c.main.emitAppend(write) }

// EmitJSON emits a value as JSON to the main output; see [Output.EmitJSON].
func (c *Context) EmitJSON(value any) error { return c.main.emitJSON(value) }

// EmitKeyed emits a value under another key to the main output; see [Output.EmitKeyed].
func (c *Context) EmitKeyed(key, value []byte) { c.main.emitKeyed(key, value) }

// EmitAbsent emits a record without a value to the main output; see [Output.EmitAbsent].
func (c *Context) EmitAbsent() { c.main.emitAbsent() }

// EmitRecord emits a record that says for itself what it has to the main output; see [Output.EmitRecord].
func (c *Context) EmitRecord(record NewRecord) { c.main.emitRecord(record) }
