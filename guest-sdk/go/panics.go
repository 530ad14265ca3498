package weir

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// framesMax bounds how many functions the text of a panic names.
const framesMax = 16

// recovered, deferred, tells what a panic says. One of [fail], or with a [place], says its text alone, any other also where it happened.
func recovered(tell func(message string)) {
	panicked := recover()
	if panicked == nil {
		return
	}
	switch of := panicked.(type) {
	case *fault:
		tell(of.message)
		return
	case *place:
		tell(of.Error())
		return
	}
	callers := make([]uintptr, 64)
	callers = callers[:runtime.Callers(2, callers)]
	tell(fmt.Sprintf("panic: %v, in %s", panicked, where(runtime.CallersFrames(callers))))
}

// where names the functions that a panic went through, the innermost first, without those of the runtime and of this package.
func where(frames *runtime.Frames) string {
	var named []string
	for len(named) < framesMax {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "weir.(*instance).") {
			break
		}
		if !strings.HasPrefix(frame.Function, "runtime.") && frame.Function != "" {
			named = append(named, fmt.Sprintf("%s (%s:%d)", frame.Function, path.Base(frame.File), frame.Line))
		}
		if !more {
			break
		}
	}
	return strings.Join(named, ", ")
}
