package weir

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// pair is kept as it lies in memory.
type pair struct{ Count, Sum uint64 }

func (pair) PlainState() {}

// pairs does with a plain state what its records say, and emits what was there before.
type pairs struct {
	Pair ValueState[pair] `weir:"pair"`
}

func (p *pairs) Process(record Record, ctx *Context) error {
	before, ok := p.Pair.Get()
	ctx.EmitString(fmt.Sprint(before, ok))
	switch string(record.Value()) {
	case "set":
		p.Pair.Set(pair{before.Count + 1, 7})
	case "update":
		p.Pair.Update(func(value *pair) { value.Sum += 5 })
	case "clear":
		p.Pair.Clear()
	}
	return nil
}

func TestPlainStateIsKeptWhateverKeysABatchHas(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	host, model := newHost(t, &pairs{}), map[string]pair{}
	var expect []string
	for range 300 {
		var records []TestRecord
		// Batches of sets alone, of keys that are all there and in order, are among them.
		commands, isInOrder := []string{"set", "update", "get", "clear"}[:1+random.IntN(4)], random.IntN(2) == 0
		for i := range 1 + random.IntN(40) {
			key := fmt.Sprint(i)
			if !isInOrder {
				key = fmt.Sprint(random.IntN(40))
			}
			command := commands[random.IntN(len(commands))]
			records = append(records, TestRecord{Key: key, Value: command})
			before, ok := model[key]
			expect = append(expect, fmt.Sprint(before, ok))
			switch command {
			case "set":
				model[key] = pair{before.Count + 1, 7}
			case "update":
				model[key] = pair{before.Count, before.Sum + 5}
			case "clear":
				delete(model, key)
			}
		}
		send(t, host, records)
	}
	for i, record := range host.Emitted() {
		if record.Value != expect[i] {
			t.Fatalf("record %d: %s, and not %s", i, record.Value, expect[i])
		}
	}
}

func TestPlainStateOfAnotherSizeFailsTheRecordThatReadsIt(t *testing.T) {
	host := newHost(t, &pairs{})
	send(t, host, []TestRecord{{Key: "a", Value: "set"}, {Key: "b", Value: "set"}})
	host.store.states[0].values["b"] = make([]byte, 15)
	send(t, host, []TestRecord{{Key: "a", Value: "get"}})
	err := host.Send(TestRecord{Key: "a", Value: "get"}, TestRecord{Key: "b", Value: "get"})
	if err == nil || !strings.Contains(err.Error(), "record 1") || !strings.Contains(err.Error(), "15 bytes where 16 were expected") {
		t.Error(err)
	}
}

func TestKeysThatWereChangedAreFoundAmongAllSlots(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	var column plainColumn
	for range 20_000 {
		kinds := []slot{slotSet, slotRead, slotAbsent, slotEncoded, slotCleared}[:1+random.IntN(5)]
		slots, expect := make([]slot, random.IntN(40)), []uint32{}
		for key := range slots {
			if slots[key] = kinds[0]; random.IntN(8) == 0 {
				slots[key] = kinds[random.IntN(len(kinds))]
			}
			if slots[key] == slotSet || slots[key] == slotCleared {
				expect = append(expect, uint32(key))
			}
		}
		if random.IntN(2) == 0 {
			// Few of many.
			for key := range slots {
				if slots[key] == slotSet && random.IntN(20) > 0 {
					slots[key] = slotRead
				}
			}
			expect = slices.DeleteFunc(expect, func(key uint32) bool { return slots[key] == slotRead })
		}
		if is := column.changed(slots); !slices.Equal(is, expect) {
			t.Fatalf("%v: %v, and not %v", slots, is, expect)
		}
	}
}

// unkeyed asks for a value of what has no key.
type unkeyed struct {
	In    Input            `weir:"in,by=broadcast"`
	Count ValueState[pair] `weir:"count"`
}

func (u *unkeyed) Process(record Record, _ *Context) error {
	switch string(record.Value()) {
	case "get":
		u.Count.Get()
	case "set":
		u.Count.Set(pair{})
	case "update":
		u.Count.Update(func(*pair) {})
	case "clear":
		u.Count.Clear()
	}
	return nil
}

func TestAValueNeedsAKey(t *testing.T) {
	host := newHost(t, &unkeyed{})
	for _, command := range []string{"get", "set", "update", "clear"} {
		if err := host.Send(TestRecord{Value: command}); err == nil || !strings.HasPrefix(err.Error(), "record 0: state `count` needs a key") {
			t.Errorf("%s: %v", command, err)
		}
	}
}
