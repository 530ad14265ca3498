package weir

import (
	"fmt"
	"math/bits"
	"slices"
)

// onWindows works windows off that fire. They are laid out as records without values, each with a key of its own and the time of what is emitted.
func (in *instance) onWindows(call callTimes, b *batch, fired *firedWindows) (*effects, *failure) {
	handler, ok := in.operator.(WindowHandler)
	if !ok {
		return nil, newFailure(-1, fmt.Sprintf("%s is not windowed", in.name))
	}
	b.isWindowed = true
	b.keyOf, b.timestamps = b.keyOf[:0], b.timestamps[:0]
	for i := range b.keys.ends {
		time := int64(noTime)
		if window, ok := b.windows.at(i); ok {
			time = window.lastMs()
		}
		b.keyOf, b.timestamps = append(b.keyOf, uint32(i)), append(b.timestamps, time)
	}
	in.begin(call, b, len(b.keys.ends))
	fired.now = &in.now
	if failed := in.fireWindows(handler, fired); failed != nil {
		return nil, failed
	}
	e, failed := in.finish()
	if failed == nil {
		failed = in.unchanged(e)
	}
	return e, failed
}

// fireWindows works the windows off one by one. The failing one is named.
func (in *instance) fireWindows(handler WindowHandler, fired *firedWindows) (failed *failure) {
	defer recovered(func(message string) { failed = newFailure(int64(in.now.record), message) })
	for i, reason := range fired.reasons {
		if reason > byte(Correction) {
			return newFailure(int64(i), fmt.Sprintf("a window fires for reason %d, which %s does not know", reason, in.name))
		}
		if i%collectEvery == collectEvery-1 {
			collectWhereGrown()
		}
		in.now.record, in.now.key = uint32(i), uint32(i)
		window := FiredWindow{fired, uint32(i), in.now.batch.keys.item(i)}
		if err := handler.OnWindow(window, &in.context); err != nil {
			return newFailure(int64(i), err.Error())
		}
	}
	return nil
}

// withoutOutput refuses effects of records in windows that have output; the first record that has some is named.
func withoutOutput(operator string, e *effects) *failure {
	if len(e.outputs) == 0 {
		return nil
	}
	first := int64(-1)
	for _, output := range e.outputs {
		if len(output.cause) > 0 {
			first = lower(first, int64(output.cause[0]))
		}
		if at := slices.IndexFunc(output.passes, func(b byte) bool { return b != 0 }); at >= 0 {
			first = lower(first, int64(at*8+bits.TrailingZeros8(output.passes[at])))
		}
	}
	return newFailure(first, operator+" is windowed and emits in Process: it may change state there and nothing else, and emits in OnWindow")
}

// lower returns the lower of two numbers, of which the first may be none.
func lower(first, other int64) int64 {
	if first < 0 {
		return other
	}
	return min(first, other)
}

// unchanged refuses effects of windows that fire which change a state; a window whose state they would change is named.
func (in *instance) unchanged(e *effects) *failure {
	refuse := func(state uint32, keys ...[]uint32) *failure {
		message := fmt.Sprintf("%s changes state `%s` in OnWindow, which may read it alone: Process changes it", in.name, in.states()[state].name)
		for _, some := range keys {
			if len(some) > 0 {
				return newFailure(int64(some[0]), message)
			}
		}
		return newFailure(-1, message)
	}
	for _, u := range e.values {
		return refuse(u.state, u.cleared, u.set.keys)
	}
	for _, u := range e.lists {
		return refuse(u.state, u.cleared, u.popped.keys, u.truncated.keys, u.append.keys)
	}
	for _, u := range e.maps {
		return refuse(u.state, u.cleared, u.removed.keys, u.put.keys)
	}
	return nil
}
