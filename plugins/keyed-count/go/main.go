// The benchmarks' operator: per record the key's count and the sum of its values' first bytes, as 16 bytes that are also the key's state.
package main

import (
	"encoding/binary"

	"weir"
)

// Tally is the state of a key: two little-endian numbers of 64 bits.
type Tally struct {
	// Count is how many records there were, Sum the sum of their first bytes; an empty value adds nothing.
	Count, Sum uint64
}

// PlainState says that a tally is kept as it lies in memory.
func (Tally) PlainState() {}

// KeyedCount is the operator.
type KeyedCount struct {
	Tally weir.ValueState[Tally] `weir:"tally"`
}

// Process adds one record.
func (k *KeyedCount) Process(record weir.Record, ctx *weir.Context) error {
	tally, _ := k.Tally.Get()
	tally.Count++
	if value := record.Value(); len(value) > 0 {
		tally.Sum += uint64(value[0])
	}
	k.Tally.Set(tally)
	var both [16]byte
	binary.LittleEndian.PutUint64(both[:], tally.Count)
	binary.LittleEndian.PutUint64(both[8:], tally.Sum)
	ctx.Emit(both[:])
	return nil
}

func init() { weir.Export("keyed-count", "0.1.0", &KeyedCount{}) }

func main() {}
