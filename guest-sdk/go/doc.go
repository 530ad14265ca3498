// Package weir is what operators of the stream processor weir are written with in Go.
//
// An operator gets records and the state of their keys, and gives records and new state. It runs in a sandbox, sees no other key, and may be replaced by
// a fresh instance between any two batches: what must survive is kept in its states.
//
// It is a pointer to a struct whose fields are what it declares, with tags that name them, and that has a method Process:
//
//	type CountViews struct {
//		Views weir.ValueState[uint64] `weir:"views"`
//	}
//
//	func (c *CountViews) Process(record weir.Record, ctx *weir.Context) error {
//		views, _ := c.Views.Get()
//		c.Views.Set(views + 1)
//		ctx.EmitString(strconv.FormatUint(views+1, 10))
//		return nil
//	}
//
//	func init() { weir.Export("count-views", "0.1.0", &CountViews{}) }
//
//	func main() {}
//
// The standard toolchain builds it, and weir makes a plugin of what that leaves:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o count_views.core.wasm .
//	weir plugin pack count_views.core.wasm -o count_views.wasm
//
// # Fields
//
//   - [ValueState], [ListState], [MapState] and [BroadcastState] are states: `weir:"visits,version=2"`. [ValueState.Merge] and [MapState.Merge] say how
//     sessions become one. `ttl=1h` gives what is kept a time to live, with `time=event` by event time, and with `refresh=read` from the last read.
//   - [Output] is an output besides the main one, [Input] an input where there are several.
//   - [EventTimer] and [ProcessingTimer] are timers, and need [TimerHandler].
//
// A name that a tag does not give is the field's. Other fields are the author's own, and only a cache.
//
// # Types of state
//
// Values are kept as deterministic CBOR, which every language reads, under a description of their type in the grammar of wit/schema.md:
//
//	bool, int8 … uint64, float32, float64, string    the same (int is i64, uint is u64)
//	[]byte                                          bytes
//	[]T, map[K]V                                    list<T>, map<K,V>
//	*T                                              option<T>
//	[3]T                                            tuple<T,T,T>
//	struct{}                                        unit
//	struct                                          Name{field:…}: `weir:"field"`, or the field's name; `weir:"-"` leaves it out
//
// A blank field says more of a struct: `_ struct{} `weir:"Name,tuple"“ makes it a tuple of its fields, and `…,enum"` an enum, of which exactly one field is set: a
// pointer to the case's value, or a bool for a case without one. Types with [PlainState] or [RawState] have bytes of their own.
//
// # Errors
//
// An error that Process returns names its record and undoes the batch; the job fails or quarantines that record, as its file says. A panic does the same, with
// where it happened. Calls of state and timers return no errors: what can be wrong with them, an input without keys or bytes that are no T, fails the record.
//
// # What is printed
//
// The packages log and log/slog, fmt.Println and what else writes to os.Stdout and os.Stderr as an [io.Writer] make lines of the job's log. Of slog's levels
// the line has the same; slog.SetLogLoggerLevel lets debug through.
//
// # Sameness
//
// Cutting the input anywhere, and replacing the instance between any two batches, must change nothing. Keep to [Context] and [Setup] for time and chance, keep
// nothing in fields that later output depends on, and do not let the order of a map decide what is emitted. Memory is the sandbox's: goroutines may be used
// within a call and are of no use beyond it.
package weir
