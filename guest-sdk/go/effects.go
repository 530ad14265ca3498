package weir

// What comes of a call, as wit/operator.wit lays it out. The slices are the handles' own and are used again by the next call.

type outputColumns struct {
	output     uint32
	passes     []byte
	cause      []uint32
	values     column
	valueless  []uint32
	keys       column
	keyless    []uint32
	hasHeaders bool
	headers    headers
	timestamps []int64
}

type valueUpdate struct {
	state   uint32
	cleared []uint32
	set     keyedColumn
}

type keyCounts struct {
	keys   []uint32
	counts []uint64
}

func (c *keyCounts) push(key uint32, count uint64) {
	c.keys = append(c.keys, key)
	c.counts = append(c.counts, count)
}

func (c *keyCounts) reset() { c.keys, c.counts = c.keys[:0], c.counts[:0] }

type listUpdate struct {
	state             uint32
	cleared           []uint32
	popped, truncated keyCounts
	append            keyedColumn
}

type mapUpdate struct {
	state        uint32
	cleared      []uint32
	removed, put keyedColumn
	values       column
}

type broadcastUpdate struct {
	state                uint32
	cleared              bool
	removed, put, values column
}

type touch struct {
	state uint32
	keys  []uint32
}

type keyTimes struct {
	keys  []uint32
	times []int64
}

func (t *keyTimes) push(key uint32, time int64) {
	t.keys = append(t.keys, key)
	t.times = append(t.times, time)
}

type timerUpdate struct {
	timer        uint32
	set, deleted keyTimes
}

type metric struct {
	name  string
	delta int64
}

// effects points at the updates that the handles keep.
type effects struct {
	outputs    []*outputColumns
	values     []*valueUpdate
	lists      []*listUpdate
	maps       []*mapUpdate
	broadcasts []*broadcastUpdate
	touched    []touch
	timers     []timerUpdate
	metrics    []metric
}

func (e *effects) reset() {
	e.outputs, e.values, e.lists, e.maps = e.outputs[:0], e.values[:0], e.lists[:0], e.maps[:0]
	e.broadcasts, e.touched, e.timers, e.metrics = e.broadcasts[:0], e.touched[:0], e.timers[:0], e.metrics[:0]
}

// failure is why a call had no effect.
type failure struct {
	// cause is the record, timer or window that is at fault; negative where none is known.
	cause   int64
	message string
}

// newFailure says why a call had no effect. What an author's text has that is no UTF-8 is replaced.
func newFailure(cause int64, message string) *failure { return &failure{cause, validText(message)} }

// stateKind is the kind of a state, as the world numbers them.
type stateKind uint8

const (
	kindValue stateKind = iota
	kindList
	kindMap
	kindBroadcast
)

// timeDomain is the time that something counts by, as the world numbers them.
type timeDomain uint8

const (
	eventTime timeDomain = iota
	processingTime
)
