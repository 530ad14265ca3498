package weir

import (
	"slices"
	"unsafe"
)

// The imports of the world. What they answer is copied out of the host's memory at once, so that who goes through a long list holds one page.

//go:wasmimport weir:operator/collections@0.2.0 list-length
func importListLength(state, key uint32) uint64

//go:wasmimport weir:operator/collections@0.2.0 list-read
func importListRead(state, key uint32, start uint64, maxBytes uint32, answer unsafe.Pointer)

//go:wasmimport weir:operator/collections@0.2.0 map-get
func importMapGet(state, key uint32, data unsafe.Pointer, dataLength uint32, ends unsafe.Pointer, endsLength uint32, answer unsafe.Pointer)

//go:wasmimport weir:operator/collections@0.2.0 map-scan
func importMapScan(state, key, hasStart uint32, start unsafe.Pointer, startLength, maxBytes uint32, answer unsafe.Pointer)

//go:wasmimport weir:operator/collections@0.2.0 broadcast-get
func importBroadcastGet(state uint32, data unsafe.Pointer, dataLength uint32, ends unsafe.Pointer, endsLength uint32, answer unsafe.Pointer)

//go:wasmimport weir:operator/collections@0.2.0 broadcast-scan
func importBroadcastScan(state, hasStart uint32, start unsafe.Pointer, startLength, maxBytes uint32, answer unsafe.Pointer)

//go:wasmimport weir:operator/logging@0.2.0 log
func importLog(level uint32, message unsafe.Pointer, length uint32)

// asked has what an import is given and what it answers. It is no local: the host writes while the stack may move.
var asked struct {
	entry    []byte
	end      uint32
	listPage abiListPage
	mapPage  abiMapPage
	found    abiKeyedColumn
}

func hostListLength(state, key uint32) uint64 { return importListLength(state, key) }

// hostListRead returns items from a position on: one at least, and no more than fit.
func hostListRead(state, key uint32, start uint64, maxBytes uint32) column {
	before := hostMemory.mark()
	importListRead(state, key, start, maxBytes, unsafe.Pointer(&asked.listPage))
	items := asked.listPage.items.copied()
	hostMemory.release(before)
	return items
}

func hostMapGet(state, key uint32, entry []byte) (value []byte, ok bool) {
	before := hostMemory.mark()
	data := askFor(entry)
	importMapGet(state, key, data, uint32(len(entry)), unsafe.Pointer(&asked.end), 4, unsafe.Pointer(&asked.found))
	return answered(before)
}

func hostBroadcastGet(state uint32, entry []byte) (value []byte, ok bool) {
	before := hostMemory.mark()
	data := askFor(entry)
	importBroadcastGet(state, data, uint32(len(entry)), unsafe.Pointer(&asked.end), 4, unsafe.Pointer(&asked.found))
	return answered(before)
}

// askFor makes a column of one entry and returns its data.
func askFor(entry []byte) unsafe.Pointer {
	asked.entry, asked.end = append(asked.entry[:0], entry...), uint32(len(entry))
	return unsafe.Pointer(unsafe.SliceData(asked.entry))
}

// answered returns the value of the one entry that was asked for.
func answered(before mark) (value []byte, ok bool) {
	items := asked.found.items.view()
	if ok = len(items.ends) > 0; ok {
		value = slices.Clone(items.item(0))
	}
	hostMemory.release(before)
	return value, ok
}

func hostMapScan(state, key uint32, start []byte, hasStart bool, maxBytes uint32) mapPage {
	before := hostMemory.mark()
	importMapScan(state, key, flag32(hasStart), askFor(start), uint32(len(start)), maxBytes, unsafe.Pointer(&asked.mapPage))
	return scanned(before)
}

func hostBroadcastScan(state uint32, start []byte, hasStart bool, maxBytes uint32) mapPage {
	before := hostMemory.mark()
	importBroadcastScan(state, flag32(hasStart), askFor(start), uint32(len(start)), maxBytes, unsafe.Pointer(&asked.mapPage))
	return scanned(before)
}

func scanned(before mark) mapPage {
	page := &asked.mapPage
	read := mapPage{entries: page.entries.copied(), values: page.values.copied(), hasNext: page.hasNext != 0}
	if read.hasNext {
		read.next = slices.Clone(page.next.bytes())
	}
	hostMemory.release(before)
	return read
}

func hostLog(level level, message string) {
	asked.entry = append(asked.entry[:0], message...)
	importLog(uint32(level), unsafe.Pointer(unsafe.SliceData(asked.entry)), uint32(len(message)))
}

func flag32(is bool) uint32 {
	if is {
		return 1
	}
	return 0
}

// view returns a column as it lies in memory.
func (c *abiColumn) view() column { return column{c.data.bytes(), viewOf[uint32](c.ends)} }

// copied returns a column in memory of its own.
func (c *abiColumn) copied() column {
	of := c.view()
	return column{slices.Clone(of.data), slices.Clone(of.ends)}
}

func (c *abiKeyedColumn) view() keyedColumn {
	return keyedColumn{viewOf[uint32](c.keys), c.items.view()}
}
