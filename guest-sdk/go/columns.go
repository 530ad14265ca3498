package weir

import (
	"math/bits"
	"slices"
)

// column has byte strings end to end: item i is data[ends[i-1]:ends[i]], item 0 starts at 0.
type column struct {
	data []byte
	ends []uint32
}

// item returns an item. The bytes belong to the column.
//
// Where it starts is worked out without a jump, as Go makes a jump through a table of each that is taken in Wasm, and this is done for every record.
func (c *column) item(i int) []byte {
	// One, and for item 0 none.
	before := int(uint(-i) >> (bits.UintSize - 1))
	start := c.ends[i-before] & -uint32(before)
	end := c.ends[i]
	return c.data[start:end:end]
}

func (c *column) push(item []byte) {
	c.data = appendBytes(c.data, item)
	c.end()
}

// end ends the item whose bytes were appended to data.
func (c *column) end() { c.ends = append(c.ends, uint32(len(c.data))) }

// keptBytesMax bounds what a column keeps for the next call: 4 MiB.
const keptBytesMax = 4 << 20

// reset makes the column empty. Its memory is used again, unless that is much.
func (c *column) reset() { c.resetTo(keptBytesMax) }

// resetTo makes the column empty, and keeps no more than so many bytes for what comes next.
func (c *column) resetTo(keptBytes int) {
	c.data, c.ends = c.data[:0], c.ends[:0]
	if cap(c.data) > keptBytes {
		c.data = nil
	}
}

// keyedColumn has byte strings that belong to some of the batch's keys.
type keyedColumn struct {
	keys  []uint32
	items column
}

func (c *keyedColumn) push(key uint32, item []byte) {
	c.keys = append(c.keys, key)
	c.items.push(item)
}

func (c *keyedColumn) reset() {
	c.keys = c.keys[:0]
	c.items.reset()
}

// headers has names and values that travel beside records; ends is empty where no record has any.
type headers struct {
	ends          []uint32
	names, values column
}

func (h *headers) reset() {
	h.ends = h.ends[:0]
	h.names.reset()
	h.values.reset()
}

// windows has the bounds of windows, ms.
type windows struct {
	starts, ends []int64
}

// batch is what a call is about: records, or timers and windows laid out as records without values.
type batch struct {
	keys       column
	keyOf      []uint32
	keyless    []uint32
	values     column
	valueless  []uint32
	headers    headers
	timestamps []int64
	states     []keyedColumn
	isWindowed bool
	windows    windows
}

// noTime is how "no time" crosses the boundary.
const noTime = -1 << 63

// hasNumber says whether an ascending list has a number.
func hasNumber(numbers []uint32, number uint32) bool {
	_, found := slices.BinarySearch(numbers, number)
	return found
}

// key returns the key of a record.
func (b *batch) key(record uint32) (key []byte, has bool) {
	if len(b.keyOf) > 0 {
		return b.keys.item(int(b.keyOf[record])), true
	}
	if len(b.keyless) > 0 && hasNumber(b.keyless, record) {
		return nil, false
	}
	return b.keys.item(int(record)), true
}

// headerRange returns where the headers of a record stand among all of them.
func (b *batch) headerRange(record uint32) (from, to uint32) {
	if len(b.headers.ends) == 0 {
		return 0, 0
	}
	if record > 0 {
		from = b.headers.ends[record-1]
	}
	return from, b.headers.ends[record]
}
