//go:build wasip1

package weir

import (
	"unsafe"
)

// arena has the memory that the host writes into: what a call is given, and what an import answers. It is emptied when the call's results have been
// taken, so that nothing is freed one by one.
//
// The host asks for memory while the guest may call no import. Memory that is asked for here is therefore laid out beforehand, and only what does not fit
// into it is allocated, once.
type arena struct {
	chunk []uint64
	// used is how many words of the chunk are.
	used int
	// full has the chunks before it, and fullWords how many words these have.
	full      [][]uint64
	fullWords int
}

const (
	// chunkWords is the size of the first chunk: 128 KiB.
	chunkWords = 16 << 10
	// chunkWordsMax bounds what a chunk has beyond what was asked for: 1 MiB.
	chunkWordsMax = 128 << 10
	// keptWordsMax bounds what is kept from one call to the next: 4 MiB.
	keptWordsMax = 512 << 10
)

var hostMemory = arena{chunk: make([]uint64, chunkWords)}

// take returns memory of so many bytes, where words can stand.
func (a *arena) take(bytes int) unsafe.Pointer {
	words := (bytes + 7) / 8
	if words > len(a.chunk)-a.used {
		a.grow(words)
	}
	at := unsafe.Add(unsafe.Pointer(unsafe.SliceData(a.chunk)), 8*a.used)
	a.used += words
	return at
}

// grow begins a new chunk.
func (a *arena) grow(words int) {
	a.full = append(a.full, a.chunk)
	a.fullWords += len(a.chunk)
	a.chunk, a.used = make([]uint64, max(words, min(a.fullWords, chunkWordsMax))), 0
}

// empty forgets what was taken. Where several chunks were needed, the next call finds one of their size.
func (a *arena) empty() {
	a.used = 0
	if len(a.full) == 0 {
		return
	}
	words := min(a.fullWords+len(a.chunk), keptWordsMax)
	// What there was is let go of before.
	*a = arena{}
	a.chunk = make([]uint64, words)
}

// mark is where an arena ends.
type mark struct {
	used, full int
}

func (a *arena) mark() mark { return mark{a.used, len(a.full)} }

// release gives back what was taken since the mark, where that is all in one chunk.
func (a *arena) release(to mark) {
	if to.full == len(a.full) {
		a.used = to.used
	} else {
		a.used = 0
	}
}

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldBytes, align, bytes uint32) unsafe.Pointer {
	at := hostMemory.take(int(bytes))
	if oldBytes > 0 {
		copy(unsafe.Slice((*byte)(at), bytes), unsafe.Slice((*byte)(old), min(oldBytes, bytes)))
	}
	return at
}

// bytesAt returns the bytes of a list that the host wrote, or of one that is ours.
func (l abiList) bytes() []byte { return viewOf[byte](l) }

// viewOf returns a list's items as they lie in memory.
func viewOf[T any](l abiList) []T {
	if l.length == 0 {
		return nil
	}
	var item T
	return unsafe.Slice((*T)(pointerTo(l.at)), uintptr(l.length)/unsafe.Sizeof(item))
}

// recordsOf returns the items of a list of records.
func recordsOf[T any](l abiList) []T {
	if l.length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(pointerTo(l.at)), l.length)
}

// pointerTo returns the place of this address in the one memory that there is.
func pointerTo(address uint32) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), address) }

// addressOf returns the address of what stays where it is: the heap and what is global do, the stack does not.
func addressOf(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

// listOf returns numbers or bytes as a list of bytes.
func listOf[T any](items []T) abiList {
	var item T
	return abiList{addressOf(unsafe.Pointer(unsafe.SliceData(items))), uint32(uintptr(len(items)) * unsafe.Sizeof(item))}
}

// listOfRecords returns records as a list of records.
func listOfRecords[T any](items []T) abiList {
	return abiList{addressOf(unsafe.Pointer(unsafe.SliceData(items))), uint32(len(items))}
}

// listOfText returns a text.
func listOfText(text string) abiList {
	return abiList{addressOf(unsafe.Pointer(unsafe.StringData(text))), uint32(len(text))}
}
