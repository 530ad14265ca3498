package weir

import (
	"fmt"
	"reflect"
)

// instance is one operator in one instance of the component: it runs calls over the boundary's columns.
type instance struct {
	declaration
	handles
	operator Operator
	now      current
	outputs  []*outputBuffer
	timers   timers
	context  Context
	effects  effects
	// none is a batch without records.
	none keyedColumn
	laid batch
}

// exported is what [Export] was given.
type exported struct {
	name, version string
	prototype     Operator
}

// newInstance makes an operator out of its prototype, with handles of its own.
func (e *exported) newInstance() (*instance, error) {
	value := reflect.New(reflect.TypeOf(e.prototype).Elem())
	value.Elem().Set(reflect.ValueOf(e.prototype).Elem())
	in := &instance{operator: value.Interface().(Operator)}
	d, h, err := declare(e.name, e.version, in.operator)
	if err != nil {
		return nil, err
	}
	in.declaration, in.handles = *d, *h
	in.now.operator = e.name
	for i, handle := range in.handles.states {
		handle.bind(in.states()[i], &in.now)
	}
	for i, handle := range in.handles.outputs {
		handle.buffer = &outputBuffer{now: &in.now, outputColumns: outputColumns{output: uint32(i)}}
		in.outputs = append(in.outputs, handle.buffer)
	}
	in.timers.now = &in.now
	for _, handle := range in.handles.timers {
		handle.all = &in.timers
	}
	in.context = Context{now: &in.now, main: in.outputs[0]}
	return in, nil
}

func (in *instance) states() []stateDecl { return in.declaration.states }

// open opens the operator.
func (in *instance) open(setup *Setup) (err error) {
	defer recovered(func(message string) { err = fmt.Errorf("%s", message) })
	if opener, ok := in.operator.(Opener); ok {
		if err := opener.Open(setup); err != nil {
			return err
		}
	}
	return setup.check()
}

// callTimes is what every call says of time and of where it comes from.
type callTimes struct {
	input          uint32
	watermark      int64
	processingTime int64
}

// process works one batch of records off.
func (in *instance) process(call callTimes, b *batch) (*effects, *failure) {
	if int(call.input) >= len(in.inputs()) {
		return nil, newFailure(-1, fmt.Sprintf("%s has no input %d", in.name, call.input))
	}
	keys := 0
	if len(b.keyOf) > 0 {
		keys = len(b.keys.ends)
	}
	in.begin(call, b, keys)
	in.now.isBroadcast = in.inputs()[call.input].partitioning == partitioningBroadcast && keys == 0
	if failed := in.records(b); failed != nil {
		return nil, failed
	}
	e, failed := in.finish()
	if failed == nil && in.isWindowed {
		failed = withoutOutput(in.name, e)
	}
	return e, failed
}

func (in *instance) inputs() []inputDecl { return in.declaration.inputs }

// collectEvery is after how many records, timers or windows it is looked whether garbage has to be collected.
const collectEvery = 64

// records works the records off one by one. The failing one is named.
func (in *instance) records(b *batch) (failed *failure) {
	defer recovered(func(message string) { failed = newFailure(int64(in.now.record), message) })
	operator, record := in.operator, Record{of: &in.now}
	for i, count := 0, len(b.values.ends); i < count; {
		for stop := min(i+collectEvery, count); i < stop; i++ {
			in.now.record, record.index = uint32(i), uint32(i)
			if i < len(b.keyOf) {
				in.now.key = b.keyOf[i]
			}
			if err := operator.Process(record, &in.context); err != nil {
				return newFailure(int64(i), err.Error())
			}
		}
		collectWhereGrown()
	}
	return nil
}

// onTimers works timers off that are due. They are laid out as records without values whose times are when they were due.
func (in *instance) onTimers(call callTimes, b *batch, numbers []uint32) (*effects, *failure) {
	in.begin(call, b, len(b.keys.ends))
	if failed := in.fire(b, numbers); failed != nil {
		return nil, failed
	}
	return in.finish()
}

// fire works the timers off one by one. The failing one is named.
func (in *instance) fire(b *batch, numbers []uint32) (failed *failure) {
	defer recovered(func(message string) { failed = newFailure(int64(in.now.record), message) })
	handler, _ := in.operator.(TimerHandler)
	for i, number := range numbers {
		if int(number) >= len(in.declaration.timers) || handler == nil {
			return newFailure(int64(i), fmt.Sprintf("%s has no timer %d", in.name, number))
		}
		if i%collectEvery == collectEvery-1 {
			collectWhereGrown()
		}
		in.now.record, in.now.key = uint32(i), b.keyOf[i]
		fired := FiredTimer{number, in.declaration.timers[number].name, b.keys.item(int(b.keyOf[i])), b.timestamps[i]}
		if err := handler.OnTimer(fired, &in.context); err != nil {
			return newFailure(int64(i), err.Error())
		}
	}
	return nil
}

// begin begins a call: its keys' state is handed to the handles. Nothing is left of the call before, also where that failed.
func (in *instance) begin(call callTimes, b *batch, keys int) {
	in.now = current{operator: in.name, batch: b, key: noKey, keys: keys, input: call.input, watermark: call.watermark, processingTime: call.processingTime}
	in.context.metrics = in.context.metrics[:0]
	in.timers.changes = in.timers.changes[:0]
	for _, buffer := range in.outputs {
		buffer.begin()
	}
	for i, state := range in.handles.states {
		values := &in.none
		if i < len(b.states) {
			values = &b.states[i]
		}
		state.begin(values)
	}
}

// finish takes together what came of a call.
func (in *instance) finish() (_ *effects, failed *failure) {
	// An author's own encoding may panic.
	defer recovered(func(message string) { failed = newFailure(-1, message) })
	e := &in.effects
	e.reset()
	for _, buffer := range in.outputs {
		if !buffer.isEmpty() {
			e.outputs = append(e.outputs, &buffer.outputColumns)
		}
	}
	in.timers.finish(e)
	e.metrics = append(e.metrics, in.context.metrics...)
	for _, state := range in.handles.states {
		if fault := state.finish(e); fault != nil {
			return nil, in.failureOf(fault)
		}
	}
	return e, nil
}

// failureOf names the last record, timer or window that has the key whose state cannot be encoded.
func (in *instance) failureOf(fault *stateFault) *failure {
	failed := newFailure(-1, fault.message)
	for i, key := range in.now.batch.keyOf {
		if key == fault.key {
			failed.cause = int64(i)
		}
	}
	return failed
}

// merge makes one value of each pair of values of a state.
func (in *instance) merge(number uint32, earlier, later *column) (both *column, err error) {
	defer recovered(func(message string) { err = fmt.Errorf("%s", message) })
	if int(number) >= len(in.states()) || !in.states()[number].merges {
		return nil, fmt.Errorf("%s has no way to make one value of two of state %d: its field's Merge is one", in.name, number)
	}
	name := in.states()[number].name
	if len(earlier.ends) != len(later.ends) {
		return nil, fmt.Errorf("merge state `%s`: %d values and %d are no pairs", name, len(earlier.ends), len(later.ends))
	}
	both = &column{}
	if err := in.handles.states[number].merge(earlier, later, both); err != nil {
		return nil, fmt.Errorf("merge state `%s`: %w", name, err)
	}
	return both, nil
}

// migrate rewrites values of an older version of a state.
func (in *instance) migrate(number, version uint32, values *column) (migrated *column, err error) {
	defer recovered(func(message string) { err = fmt.Errorf("%s", message) })
	if int(number) >= len(in.states()) {
		return nil, fmt.Errorf("%s has no state %d", in.name, number)
	}
	migrator, ok := in.operator.(Migrator)
	migrated = &column{}
	for i := range values.ends {
		old := OldValue{State: in.states()[number].name, Version: version, Bytes: values.item(i), operator: in.name}
		value, err := old.Unknown()
		if ok {
			value, err = migrator.Migrate(old)
		}
		if err != nil {
			return nil, err
		}
		migrated.push(value)
	}
	return migrated, nil
}
