//go:build wasip1

package weir

// lowered has the records that effects are handed out in. The memory is used again by the next call.
type lowered struct {
	outputs    []abiOutput
	values     []abiValueUpdate
	lists      []abiListUpdate
	maps       []abiMapUpdate
	broadcasts []abiBroadcastUpdate
	touched    []abiTouch
	timers     []abiTimerUpdate
	metrics    []abiMetric
}

func (c *column) lower() abiColumn { return abiColumn{listOf(c.data), listOf(c.ends)} }

func (c *keyedColumn) lower() abiKeyedColumn { return abiKeyedColumn{listOf(c.keys), c.items.lower()} }

func (h *headers) lower() abiHeaders {
	return abiHeaders{listOf(h.ends), h.names.lower(), h.values.lower()}
}

func (c *keyCounts) lower() abiKeyCounts { return abiKeyCounts{listOf(c.keys), listOf(c.counts)} }

func (t *keyTimes) lower() abiTimers { return abiTimers{listOf(t.keys), listOf(t.times)} }

func flag8(is bool) uint8 {
	if is {
		return 1
	}
	return 0
}

// effects returns effects as they are passed; what they have stays where it is.
func (l *lowered) effects(e *effects) abiEffects {
	l.outputs, l.values, l.lists, l.maps = l.outputs[:0], l.values[:0], l.lists[:0], l.maps[:0]
	l.broadcasts, l.touched, l.timers, l.metrics = l.broadcasts[:0], l.touched[:0], l.timers[:0], l.metrics[:0]
	for _, o := range e.outputs {
		l.outputs = append(l.outputs, o.lower())
	}
	for _, u := range e.values {
		l.values = append(l.values, abiValueUpdate{u.state, listOf(u.cleared), u.set.lower()})
	}
	for _, u := range e.lists {
		l.lists = append(l.lists, abiListUpdate{u.state, listOf(u.cleared), u.popped.lower(), u.truncated.lower(), u.append.lower()})
	}
	for _, u := range e.maps {
		l.maps = append(l.maps, abiMapUpdate{u.state, listOf(u.cleared), u.removed.lower(), u.put.lower(), u.values.lower()})
	}
	for _, u := range e.broadcasts {
		l.broadcasts = append(l.broadcasts, abiBroadcastUpdate{u.state, flag8(u.cleared), u.removed.lower(), u.put.lower(), u.values.lower()})
	}
	for _, t := range e.touched {
		l.touched = append(l.touched, abiTouch{t.state, listOf(t.keys)})
	}
	for i := range e.timers {
		u := &e.timers[i]
		l.timers = append(l.timers, abiTimerUpdate{u.timer, u.set.lower(), u.deleted.lower()})
	}
	for _, m := range e.metrics {
		l.metrics = append(l.metrics, abiMetric{listOfText(m.name), m.delta})
	}
	return abiEffects{
		listOfRecords(l.outputs), listOfRecords(l.values), listOfRecords(l.lists), listOfRecords(l.maps),
		listOfRecords(l.broadcasts), listOfRecords(l.touched), listOfRecords(l.timers), listOfRecords(l.metrics),
	}
}

func (o *outputColumns) lower() abiOutput {
	return abiOutput{
		output: o.output, passes: listOf(o.passes), cause: listOf(o.cause), values: o.values.lower(), valueless: listOf(o.valueless),
		keys: o.keys.lower(), keyless: listOf(o.keyless), hasHeaders: flag8(o.hasHeaders), headers: o.headers.lower(), timestamps: listOf(o.timestamps),
	}
}

// described holds what a descriptor points at, by addresses that the collector does not see.
var described []any

// held returns records as a list of records that stays.
func held[T any](items []T) abiList {
	described = append(described, items)
	return listOfRecords(items)
}

// lower returns a declaration as it is passed. The declaration has to be held, too.
func (d *declaration) lower() *abiDescriptor {
	var inputs []abiInput
	for _, input := range d.inputs {
		var accepts []abiRecordSchema
		for _, schema := range input.accepts {
			accepts = append(accepts, schema.lower())
		}
		inputs = append(inputs, abiInput{listOfText(input.name), held(accepts), uint8(input.partitioning)})
	}
	var outputs []abiOutputDecl
	for _, output := range d.outputs {
		lowered := abiOutputDecl{name: listOfText(output.name)}
		if output.schema != nil {
			lowered.hasSchema, lowered.schema = 1, output.schema.lower()
		}
		outputs = append(outputs, lowered)
	}
	var timers []abiTimer
	for _, timer := range d.timers {
		timers = append(timers, abiTimer{listOfText(timer.name), uint8(timer.domain)})
	}
	return &abiDescriptor{
		listOfText(d.name), listOfText(d.version), held(inputs), held(outputs), held(d.lowerStates()), held(timers),
		flag8(d.isWindowed),
	}
}

func (d *declaration) lowerStates() []abiState {
	var states []abiState
	for _, state := range d.states {
		lowered := abiState{
			name: listOfText(state.name), kind: uint8(state.kind), schema: listOfText(state.schema), version: state.version, merges: flag8(state.merges),
		}
		if state.ttl != nil {
			lowered.hasTTL, lowered.ttl = 1, abiTTL{state.ttl.ms, uint8(state.ttl.domain), flag8(state.ttl.refreshOnRead)}
		}
		states = append(states, lowered)
	}
	return states
}

func (s *recordSchema) lower() abiRecordSchema { return abiRecordSchema{listOfText(s.id), s.version} }
