package weir

import (
	"cmp"
	"slices"
	"time"
)

// An EventTimer is a timer of event time: a field with a tag that names it, like `weir:"overdue"`. It fires when the watermark has come to it, and
// where it still stands at the end of the input, there.
//
// Timers belong to the key of the record that is being worked on. Key, name and time are a timer: setting it twice is setting it once, a key may have
// one at many times, and in one call the last word counts. The operator's OnTimer is called when it is due.
type EventTimer struct{ timer }

// A ProcessingTimer is a timer by the clock: a field with a tag that names it. It fires when the clock has come to it, also while there is no input.
// See [EventTimer].
type ProcessingTimer struct{ timer }

// Timer is an [EventTimer] or a [ProcessingTimer].
type Timer interface{ number() uint32 }

type timer struct {
	all   *timers
	index uint32
	name  string
}

func (t timer) number() uint32 { return t.index }

// Set sets a timer of this key to a time, ms since the Unix epoch. One that is set to a time that has passed fires next. It fails the record where the
// input is not keyed.
func (t *timer) Set(ms int64) { t.change(ms, true) }

// Delete deletes a timer of this key that was set to this time; nothing where it was not. It fails the record where the input is not keyed.
func (t *timer) Delete(ms int64) { t.change(ms, false) }

func (t *timer) change(ms int64, isSet bool) {
	now := t.all.now
	if int(now.key) >= now.keys {
		fail("timer `%s` needs a key, and this input is not keyed: give it `by = \"key\"` in the job file", t.name)
	}
	t.all.changes = append(t.all.changes, timerChange{t.index, now.key, ms, isSet})
}

// timers has what a call did to timers.
type timers struct {
	now     *current
	changes []timerChange
}

type timerChange struct {
	timer, key uint32
	time       int64
	isSet      bool
}

func (c timerChange) compare(other timerChange) int {
	return cmp.Or(cmp.Compare(c.timer, other.timer), cmp.Compare(c.key, other.key), cmp.Compare(c.time, other.time))
}

// finish adds what was done, of each timer what was done last.
func (t *timers) finish(e *effects) {
	slices.SortStableFunc(t.changes, timerChange.compare)
	for i, change := range t.changes {
		if i+1 < len(t.changes) && change.compare(t.changes[i+1]) == 0 {
			continue
		}
		if last := len(e.timers) - 1; last < 0 || e.timers[last].timer != change.timer {
			e.timers = append(e.timers, timerUpdate{timer: change.timer})
		}
		update := &e.timers[len(e.timers)-1]
		if change.isSet {
			update.set.push(change.key, change.time)
		} else {
			update.deleted.push(change.key, change.time)
		}
	}
}

// A FiredTimer is a timer that is due. Its key's state is shown, and what is emitted has its key and the time that it was set to.
type FiredTimer struct {
	index uint32
	name  string
	key   []byte
	time  int64
}

// Is says whether it is this one: a field of the operator.
func (t FiredTimer) Is(timer Timer) bool { return timer.number() == t.index }

// Name returns its name.
func (t FiredTimer) Name() string { return t.name }

// Key returns the key that it was set for; the bytes are valid until the call returns.
func (t FiredTimer) Key() []byte { return t.key }

// Timestamp returns the time that it was set to, ms since the Unix epoch: not the time that it is, which may be later.
func (t FiredTimer) Timestamp() int64 { return t.time }

// Time returns the time that it was set to, in UTC.
func (t FiredTimer) Time() time.Time { return time.UnixMilli(t.time).UTC() }
