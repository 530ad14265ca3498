package cbor

import (
	"unsafe"
)

// Words are read and written as they lie in memory: what this is built for is little-endian, and so is what its tests run on.

func word(b []byte) uint64 { return *(*uint64)(unsafe.Pointer(unsafe.SliceData(b[:8]))) }

func putWord(b []byte, word uint64) { *(*uint64)(unsafe.Pointer(unsafe.SliceData(b[:8]))) = word }
