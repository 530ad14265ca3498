package weir

import (
	"encoding/binary"
	"iter"
	"math"
	"slices"
	"time"
)

// A Window has the bounds of a window, ms since the Unix epoch: from Start on, up to and without End.
type Window struct {
	Start, End int64
}

// StartTime returns its first ms, in UTC.
func (w Window) StartTime() time.Time { return time.UnixMilli(w.Start).UTC() }

// EndTime returns the first ms behind it, in UTC.
func (w Window) EndTime() time.Time { return time.UnixMilli(w.End).UTC() }

// lastMs returns the time of what is emitted for it, unless that says another.
func (w Window) lastMs() int64 {
	if w.End == math.MinInt64 {
		return w.End
	}
	return w.End - 1
}

// at returns the bounds at a place, if that window has any.
func (w *windows) at(index int) (Window, bool) {
	window := Window{w.starts[index], w.ends[index]}
	return window, window != Window{noTime, noTime}
}

// WindowReason says why a window fires.
type WindowReason uint8

const (
	// OnTime says that the window is complete: its time has come, it is full, or the input has ended.
	OnTime WindowReason = iota
	// Early says that it goes on, and that the job file wants to hear of it meanwhile (emit = { every = … }).
	Early
	// Correction says that records have come that were late, and in time for the job file's lateness.
	Correction
)

func (r WindowReason) String() string {
	switch r {
	case OnTime:
		return "on time"
	case Early:
		return "early"
	}
	return "correction"
}

// A FiredWindow is a window of a key that fires. Its state is shown, to be read and not to be changed.
type FiredWindow struct {
	fired *firedWindows
	index uint32
	key   []byte
}

// firedWindows has what is said of the windows of a call, besides their keys and bounds.
type firedWindows struct {
	now       *current
	reasons   []byte
	revisions []uint32
	replaces  keyedColumn
}

// Key returns the key; the bytes are valid until the call returns.
func (w FiredWindow) Key() []byte { return w.key }

// Window returns its bounds: none of a count and of a global window.
func (w FiredWindow) Window() (window Window, ok bool) {
	return w.fired.now.batch.windows.at(int(w.index))
}

// Reason returns why it fires.
func (w FiredWindow) Reason() WindowReason { return WindowReason(w.fired.reasons[w.index]) }

// Revision returns how often it has fired before: 0 the first time.
func (w FiredWindow) Revision() uint32 { return w.fired.revisions[w.index] }

// Replaces goes through windows that have fired and became part of this one, so that what was said of them holds no more. Sessions alone have any.
func (w FiredWindow) Replaces() iter.Seq[Window] {
	return func(yield func(Window) bool) {
		replaces := &w.fired.replaces
		first, _ := slices.BinarySearch(replaces.keys, w.index)
		for i := first; i < len(replaces.keys) && replaces.keys[i] == w.index; i++ {
			bounds := replaces.items.item(i)
			window := Window{int64(binary.LittleEndian.Uint64(bounds)), int64(binary.LittleEndian.Uint64(bounds[8:]))}
			if !yield(window) {
				return
			}
		}
	}
}
