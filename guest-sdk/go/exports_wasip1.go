package weir

import (
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"unsafe"
)

// The exports of the world. Results stay where they are until the host has taken them, which it says by the call of cabi_post_….

// running is what this instance of the component is.
var running struct {
	exported    *exported
	declaration *declaration
	instance    *instance
	batch       batch
	fired       firedWindows
	lowered     lowered
	// error is the text of an error that is being handed out, column a column.
	error  string
	column *column

	result       abiResult
	columnResult abiColumnResult
	openResult   abiOpenResult
	// logged has lines of the package log, and printed those of the standard output and the standard error.
	logged  lineWriter
	printed [2]lineWriter
	// mayLog says that the world allows a line now.
	mayLog bool
}

// memoryBytes is how much the collector lets the heap become before it works harder: less than a job file's default limits.memory, 64 MiB, of which the
// runtime needs a part and fragments waste one. An operator that is given more may say so in Open, by [debug.SetMemoryLimit].
const memoryBytes = 40 << 20

// Export makes an operator what the built component is: `func init() { weir.Export("count-views", "0.1.0", &CountViews{}) }`. It is called once, when the
// package is initialised; main is never run. The fields of the prototype are those of the operator that is opened.
func Export(name, version string, prototype Operator) {
	if running.exported != nil {
		panic("weir.Export is called twice")
	}
	running.exported = &exported{name, version, prototype}
	for _, lines := range []*lineWriter{&running.logged, &running.printed[0], &running.printed[1]} {
		lines.log = logLine
	}
	debug.SetMemoryLimit(memoryBytes)
	listenToStandardStreams()
	log.SetFlags(0)
	log.SetOutput(&running.logged)
}

// logLine logs a line; where the world allows none it goes where only an error shows it.
func logLine(level level, line string) {
	if running.mayLog {
		hostLog(level, line)
		return
	}
	fmt.Fprintln(os.Stderr, line)
}

//go:wasmexport weir:operator/guest@0.2.0#describe
func exportDescribe() unsafe.Pointer {
	running.declaration = &must(newInstance()).declaration
	return unsafe.Pointer(running.declaration.lower())
}

//go:wasmexport cabi_post_weir:operator/guest@0.2.0#describe
func postDescribe(unsafe.Pointer) {
	described = nil
	hostMemory.empty()
}

// newInstance makes the operator that was exported.
func newInstance() (*instance, error) {
	if running.exported == nil {
		return nil, fmt.Errorf("no operator: call weir.Export in an init function")
	}
	in, err := running.exported.newInstance()
	if err != nil {
		err = fmt.Errorf("the operator %s: %w", running.exported.name, err)
	}
	return in, err
}

// must traps where an operator cannot be made: weir shows what stands on the standard error.
func must(in *instance, err error) *instance {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return in
}

//go:wasmexport weir:operator/guest@0.2.0#open
func exportOpen(config uint32, configLength uint32, schemas uint32, schemasLength uint32, subtask, parallelism uint32, seed uint64) unsafe.Pointer {
	setup := &Setup{Subtask: subtask, Parallelism: parallelism, Seed: seed, config: string(abiList{config, configLength}.bytes())}
	for _, schema := range recordsOf[abiOptionalText](abiList{schemas, schemasLength}) {
		if schema.is == 0 {
			setup.Schemas = append(setup.Schemas, nil)
			continue
		}
		text := string(schema.text.bytes())
		setup.Schemas = append(setup.Schemas, &text)
	}
	in, err := newInstance()
	if err == nil {
		running.mayLog = true
		err = in.open(setup)
		endLogging()
	}
	running.instance, running.openResult = in, abiOpenResult{}
	if err != nil {
		running.error = validText(err.Error())
		running.openResult = abiOpenResult{1, listOfText(running.error)}
	}
	return unsafe.Pointer(&running.openResult)
}

//go:wasmexport cabi_post_weir:operator/guest@0.2.0#open
func postOpen(unsafe.Pointer) { hostMemory.empty() }

//go:wasmexport weir:operator/guest@0.2.0#process
func exportProcess(parameters unsafe.Pointer) unsafe.Pointer {
	p := (*abiProcess)(parameters)
	b := &running.batch
	*b = batch{
		keys: p.keys.view(), keyOf: viewOf[uint32](p.keyOf), keyless: viewOf[uint32](p.keyless), values: p.values.view(), valueless: viewOf[uint32](p.valueless),
		headers:    headers{viewOf[uint32](p.headers.ends), p.headers.names.view(), p.headers.values.view()},
		timestamps: viewOf[int64](p.timestamps), states: statesOf(b, p.states), isWindowed: p.isWindowed != 0,
	}
	if b.isWindowed {
		b.windows = windows{viewOf[int64](p.windows.starts), viewOf[int64](p.windows.ends)}
	}
	return run(func(in *instance) (*effects, *failure) { return in.process(p.context.times(), b) })
}

//go:wasmexport cabi_post_weir:operator/guest@0.2.0#process
func postProcess(unsafe.Pointer) { hostMemory.empty() }

//go:wasmexport weir:operator/guest@0.2.0#on-timers
func exportOnTimers(input uint32, watermark, processingTime int64, keys, keysLength, keyEnds, keyEndsLength, keyOf, keyOfLength, numbers, numbersLength,
	times, timesLength, states, statesLength uint32) unsafe.Pointer {
	b := &running.batch
	column := abiColumn{abiList{keys, keysLength}, abiList{keyEnds, keyEndsLength}}
	*b = batch{
		keys: column.view(), keyOf: viewOf[uint32](abiList{keyOf, keyOfLength}), timestamps: viewOf[int64](abiList{times, timesLength}),
		states: statesOf(b, abiList{states, statesLength}),
	}
	due := viewOf[uint32](abiList{numbers, numbersLength})
	return run(func(in *instance) (*effects, *failure) {
		return in.onTimers(callTimes{input, watermark, processingTime}, b, due)
	})
}

//go:wasmexport cabi_post_weir:operator/guest@0.2.0#on-timers
func postOnTimers(unsafe.Pointer) { hostMemory.empty() }

//go:wasmexport weir:operator/guest@0.2.0#on-windows
func exportOnWindows(parameters unsafe.Pointer) unsafe.Pointer {
	p := (*abiOnWindows)(parameters)
	b := &running.batch
	*b = batch{keys: p.keys.view(), windows: windows{viewOf[int64](p.windows.starts), viewOf[int64](p.windows.ends)}, states: statesOf(b, p.states)}
	running.fired = firedWindows{reasons: p.reasons.bytes(), revisions: viewOf[uint32](p.revisions), replaces: p.replaces.view()}
	return run(func(in *instance) (*effects, *failure) { return in.onWindows(p.context.times(), b, &running.fired) })
}

//go:wasmexport cabi_post_weir:operator/guest@0.2.0#on-windows
func postOnWindows(unsafe.Pointer) { hostMemory.empty() }

func (c *abiContext) times() callTimes { return callTimes{c.input, c.watermark, c.processingTime} }

// statesOf returns the values that came with a batch, in the memory of the batch before.
func statesOf(before *batch, l abiList) []keyedColumn {
	states := before.states[:0]
	for _, state := range recordsOf[abiKeyedColumn](l) {
		states = append(states, state.view())
	}
	return states
}

// run runs a call and hands out what came of it.
func run(call func(in *instance) (*effects, *failure)) unsafe.Pointer {
	var e *effects
	failed := newFailure(-1, "called before open")
	if running.instance != nil {
		running.mayLog = true
		e, failed = call(running.instance)
		endLogging()
		yieldToCollector()
	}
	running.result = abiResult{}
	if failed == nil {
		running.result.effects = running.lowered.effects(e)
		return unsafe.Pointer(&running.result)
	}
	running.result.isError = 1
	running.error = failed.message
	lowered := abiFailure{message: listOfText(running.error)}
	if failed.cause >= 0 {
		lowered.hasCause, lowered.cause = 1, uint32(failed.cause)
	}
	*(*abiFailure)(unsafe.Pointer(&running.result.effects)) = lowered
	return unsafe.Pointer(&running.result)
}

// endLogging ends lines that were begun.
func endLogging() {
	running.printed[0].flush()
	running.printed[1].flush()
	running.mayLog = false
}

//go:wasmexport weir:operator/guest@0.2.0#merge
func exportMerge(state, earlier, earlierLength, earlierEnds, earlierEndsLength, later, laterLength, laterEnds, laterEndsLength uint32) unsafe.Pointer {
	first := abiColumn{abiList{earlier, earlierLength}, abiList{earlierEnds, earlierEndsLength}}
	second := abiColumn{abiList{later, laterLength}, abiList{laterEnds, laterEndsLength}}
	one, other := first.view(), second.view()
	in := must(unopened())
	return handOut(in.merge(state, &one, &other))
}

//go:wasmexport cabi_post_weir:operator/guest@0.2.0#merge
func postMerge(unsafe.Pointer) { hostMemory.empty() }

//go:wasmexport weir:operator/guest@0.2.0#migrate
func exportMigrate(state, version, data, dataLength, ends, endsLength uint32) unsafe.Pointer {
	values := abiColumn{abiList{data, dataLength}, abiList{ends, endsLength}}
	of := values.view()
	in := must(unopened())
	return handOut(in.migrate(state, version, &of))
}

//go:wasmexport cabi_post_weir:operator/guest@0.2.0#migrate
func postMigrate(unsafe.Pointer) { hostMemory.empty() }

// unopened returns the operator as it is, opened or not.
func unopened() (*instance, error) {
	if running.instance != nil {
		return running.instance, nil
	}
	return newInstance()
}

// handOut hands out a column or an error.
func handOut(column *column, err error) unsafe.Pointer {
	running.columnResult, running.column = abiColumnResult{}, column
	if err != nil {
		running.error = validText(err.Error())
		running.columnResult.isError = 1
		running.columnResult.column.data = listOfText(running.error)
	} else {
		running.columnResult.column = column.lower()
	}
	return unsafe.Pointer(&running.columnResult)
}
