package weir

import (
	"io"
	"os"
	"reflect"
	"unsafe"
)

// fmt.Println and all that writes to os.Stdout and os.Stderr as an io.Writer makes lines of the job's log.
//
// The null system interface that a plugin is packed with has nothing behind its descriptors: what arrives there is shown only beside the error of a trap. So
// that it does not go there, the method table by which an *os.File is an io.Writer is given another method. Writes that go by no table (println,
// os.Stdout.WriteString) are left as they are. Where a version of Go lays its tables out otherwise, nothing is changed.

// methodTable is the head of runtime.itab, the table of a type's methods for an interface.
type methodTable struct {
	inter, typ unsafe.Pointer
	hash       uint32
	// write is the first method's code.
	write uintptr
}

// standardFile is a file whose writes are looked at.
type standardFile os.File

func (f *standardFile) Write(p []byte) (int, error) {
	file := (*os.File)(f)
	switch {
	case running.mayLog && file == os.Stdout:
		return running.printed[0].Write(p)
	case running.mayLog && file == os.Stderr:
		return running.printed[1].Write(p)
	}
	return file.Write(p)
}

// tableOf returns the method table of a writer.
func tableOf(w *io.Writer) *methodTable { return *(**methodTable)(unsafe.Pointer(w)) }

func listenToStandardStreams() {
	var file, ours io.Writer = os.Stdout, (*standardFile)(os.Stdout)
	of, by := tableOf(&file), tableOf(&ours)
	isKnown := of.write == reflect.ValueOf((*os.File).Write).Pointer() && by.write == reflect.ValueOf((*standardFile).Write).Pointer()
	if isKnown {
		of.write = by.write
	}
}
