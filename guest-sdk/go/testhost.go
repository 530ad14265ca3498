package weir

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// A TestHost runs an operator natively, in memory, for tests with the package testing: records, state by key, broadcast state and timers. It takes one
// batch a [TestHost.Send]. What it does not do (windows, times to live, limits, the sandbox) and what is compiled is tested by `weir plugin test`.
type TestHost struct {
	in      *instance
	store   testStore
	emitted map[string][]TestRecord
	config  string
	schemas []*string
	// watermark and clock are how far time has come.
	watermark, clock int64
	exported         exported
}

// A TestRecord is a record that goes into a [TestHost], or came out of one.
type TestRecord struct {
	Key, Value string
	// NoKey and Absent say that there is no key, and no value.
	NoKey, Absent bool
	// Time is the event time, ms since the Unix epoch, where HasTime says that there is one.
	Time    int64
	HasTime bool
	Headers []Header
}

// NewTestHost opens an operator as [Export] would have it, with a config and the schemas of its inputs.
func NewTestHost(prototype Operator, config string, schemas ...string) (*TestHost, error) {
	host := &TestHost{emitted: map[string][]TestRecord{}, config: config, watermark: noTime, exported: exported{"operator", "1", prototype}}
	for _, schema := range schemas {
		host.schemas = append(host.schemas, &schema)
	}
	return host, host.Renew()
}

// Renew replaces the operator by a new one, as a host may between any two calls. The state stays.
func (h *TestHost) Renew() (err error) {
	if h.in, err = h.exported.newInstance(); err != nil {
		return err
	}
	h.store.of(h.in.states())
	return h.in.open(&Setup{Schemas: h.schemas, Parallelism: 1, config: h.config})
}

// Send works off records of the first input as one batch, by key.
func (h *TestHost) Send(records ...TestRecord) error { return h.SendTo(0, records...) }

// SendTo works off records of an input as one batch: by key, unless its tag says by=broadcast.
func (h *TestHost) SendTo(input int, records ...TestRecord) error {
	if len(records) == 0 {
		return nil
	}
	b := &batch{}
	isKeyed := h.in.inputs()[input].partitioning != partitioningBroadcast
	for i, record := range records {
		h.lay(b, uint32(i), record, isKeyed)
	}
	if isKeyed {
		b.states = h.store.begin(&b.keys)
	}
	native = &h.store
	e, failed := h.in.process(callTimes{uint32(input), h.watermark, h.clock}, b)
	return h.take(b, e, failed)
}

// lay adds a record to a batch.
func (h *TestHost) lay(b *batch, index uint32, record TestRecord, isKeyed bool) {
	switch {
	case isKeyed:
		b.keyOf = append(b.keyOf, keyIndex(&b.keys, record.Key))
	default:
		if record.NoKey {
			b.keyless = append(b.keyless, index)
		}
		b.keys.push([]byte(record.Key))
	}
	if record.Absent {
		b.valueless = append(b.valueless, index)
	}
	b.values.push([]byte(record.Value))
	time := int64(noTime)
	if record.HasTime {
		time = record.Time
	}
	b.timestamps = append(b.timestamps, time)
	for _, header := range record.Headers {
		b.headers.names.push([]byte(header.Name))
		b.headers.values.push(header.Value)
	}
	b.headers.ends = append(b.headers.ends, uint32(len(b.headers.names.ends)))
}

// keyIndex returns the place of a key among the distinct ones, where it is put if it is new.
func keyIndex(keys *column, key string) uint32 {
	for i := range keys.ends {
		if string(keys.item(i)) == key {
			return uint32(i)
		}
	}
	keys.push([]byte(key))
	return uint32(len(keys.ends) - 1)
}

// take applies what came of a call.
func (h *TestHost) take(b *batch, e *effects, failed *failure) error {
	if failed != nil {
		if failed.cause < 0 {
			return errors.New(failed.message)
		}
		return fmt.Errorf("record %d: %s", failed.cause, failed.message)
	}
	h.store.apply(e)
	for _, output := range e.outputs {
		name := h.in.declaration.outputs[output.output].name
		h.emitted[name] = append(h.emitted[name], emittedRecords(b, output)...)
	}
	return nil
}

// Emitted returns what was emitted to the main output, in order.
func (h *TestHost) Emitted() []TestRecord { return h.EmittedTo(h.in.declaration.outputs[0].name) }

// EmittedTo returns what was emitted to an output, in order.
func (h *TestHost) EmittedTo(output string) []TestRecord { return h.emitted[output] }

// AdvanceTo moves event time on, ms since the Unix epoch. Timers that it comes to fire.
func (h *TestHost) AdvanceTo(watermark int64) error {
	h.watermark = watermark
	return h.fire(eventTime, watermark)
}

// AdvanceClock moves the clock on, ms since the Unix epoch. Timers that it comes to fire.
func (h *TestHost) AdvanceClock(ms int64) error {
	h.clock = ms
	return h.fire(processingTime, ms)
}

// fire fires timers one by one, in the order of their times.
func (h *TestHost) fire(domain timeDomain, until int64) error {
	for {
		due := h.store.due(func(t testTimer) bool { return h.in.declaration.timers[t.timer].domain == domain && t.time <= until })
		if due == nil {
			return nil
		}
		delete(h.store.timers, *due)
		b := &batch{keyOf: []uint32{0}, timestamps: []int64{due.time}}
		b.keys.push([]byte(due.key))
		b.states = h.store.begin(&b.keys)
		native = &h.store
		e, failed := h.in.onTimers(callTimes{0, h.watermark, h.clock}, b, []uint32{due.timer})
		if err := h.take(b, e, failed); err != nil {
			return err
		}
	}
}

// emittedRecords returns the records of an output as they go out.
func emittedRecords(b *batch, output *outputColumns) (records []TestRecord) {
	made := 0
	for record := range max(len(b.values.ends), len(b.keyOf)) {
		if len(output.passes) > 0 && output.passes[record/8]>>(record%8)&1 == 1 {
			records = append(records, passed(b, uint32(record)))
		}
		for ; len(output.passes) > 0 && made < len(output.cause) && output.cause[made] == uint32(record); made++ {
			records = append(records, madeRecord(b, output, made))
		}
	}
	for ; made < len(output.cause); made++ {
		records = append(records, madeRecord(b, output, made))
	}
	return records
}

// passed returns a record as it came; of a timer what is inherited from it.
func passed(b *batch, record uint32) TestRecord {
	key, has := b.key(record)
	r := TestRecord{Key: string(key), NoKey: !has, Time: b.timestamps[record], HasTime: b.timestamps[record] != noTime}
	if !r.HasTime {
		r.Time = 0
	}
	if len(b.values.ends) > 0 {
		r.Value, r.Absent = string(b.values.item(int(record))), hasNumber(b.valueless, record)
	}
	from, to := b.headerRange(record)
	r.Headers = headersOf(&b.headers, from, to)
	return r
}

func madeRecord(b *batch, output *outputColumns, made int) TestRecord {
	r := passed(b, output.cause[made])
	r.Value, r.Absent = string(output.values.item(made)), hasNumber(output.valueless, uint32(made))
	if len(output.keys.ends) > 0 {
		r.Key, r.NoKey = string(output.keys.item(made)), hasNumber(output.keyless, uint32(made))
	}
	if len(output.timestamps) > 0 {
		r.Time, r.HasTime = output.timestamps[made], output.timestamps[made] != noTime
		if !r.HasTime {
			r.Time = 0
		}
	}
	if output.hasHeaders {
		own := batch{headers: output.headers}
		from, to := own.headerRange(uint32(made))
		r.Headers = headersOf(&output.headers, from, to)
	}
	return r
}

func headersOf(h *headers, from, to uint32) (all []Header) {
	for i := int(from); i < int(to); i++ {
		all = append(all, Header{string(h.names.item(i)), slices.Clone(h.values.item(i))})
	}
	return all
}

// due returns the first timer that is.
func (s *testStore) due(is func(testTimer) bool) (first *testTimer) {
	for timer := range s.timers {
		if is(timer) && (first == nil || timer.compare(*first) < 0) {
			first = &timer
		}
	}
	return first
}

func (t testTimer) compare(other testTimer) int {
	return cmp.Or(cmp.Compare(t.time, other.time), cmp.Compare(t.key, other.key), cmp.Compare(t.timer, other.timer))
}
