package weir

import (
	"runtime"
)

// The collector marks while the program runs, in a goroutine of its own, and by what it makes those do that allocate. Here nothing preempts anybody, and the
// latter may be so far ahead with it that the collector waits for a goroutine that is given no time, while the memory fills with garbage.
//
// So it is given time at the end of each call, and where the memory has grown a collection is brought to its end. In a steady state nothing grows.

// pages is the size of the memory when that was last looked at.
var pages int32

// memoryPages returns the size of the memory, in pages of 64 KiB.
func memoryPages() int32

// yieldToCollector gives the collector time.
func yieldToCollector() {
	runtime.Gosched()
	collectWhereGrown()
}

// collectWhereGrown brings a collection to its end where the memory has grown.
func collectWhereGrown() {
	if memoryPages() > pages {
		runtime.GC()
		pages = memoryPages()
	}
}
