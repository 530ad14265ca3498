package weir

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// everything does with its states what its records say.
type everything struct {
	Value ValueState[int64]            `weir:"value"`
	List  ListState[string]            `weir:"list"`
	Map   MapState[string, *int64]     `weir:"map"`
	Plain ValueState[[2]uint32plain]   `weir:"plain"`
	Rules BroadcastState[int8, []bool] `weir:"rules"`
	Side  Output                       `weir:"side"`
	Soon  EventTimer                   `weir:"soon"`
}

// uint32plain is a number as it lies in memory.
type uint32plain uint32

func (e *everything) Process(record Record, ctx *Context) error {
	name, rest, _ := strings.Cut(string(record.Value()), " ")
	number, _ := strconv.Atoi(rest)
	wide := int64(number)
	switch name {
	case "add":
		e.Value.Update(func(value *int64) { *value += wide })
	case "value":
		value, ok := e.Value.Get()
		ctx.EmitString(fmt.Sprint(value, ok))
	case "clear":
		e.Value.Clear()
		e.List.Clear()
		e.Map.Clear()
	case "append":
		e.List.Append(rest, rest+"'")
	case "pop":
		e.List.PopFront(number)
	case "truncate":
		e.List.Truncate(number)
	case "list":
		items := slices.Collect(e.List.Values())
		at, ok := e.List.At(number)
		ctx.EmitString(fmt.Sprint(e.List.Len(), items, at, ok))
	case "put":
		e.Map.Put(rest, &wide)
	case "remove":
		e.Map.Remove(rest)
	case "map":
		var entries []string
		for key, value := range e.Map.All() {
			entries = append(entries, fmt.Sprint(key, *value))
		}
		ctx.EmitString(fmt.Sprint(entries, e.Map.IsEmpty(), e.Map.Contains(rest)))
	case "plain":
		plain, _ := e.Plain.Get()
		plain[0]++
		plain[1] += uint32plain(number)
		e.Plain.Set(plain)
		e.Side.EmitKeyed([]byte(rest), fmt.Appendf(nil, "%d", plain))
	case "timer":
		e.Soon.Set(wide)
	case "untimer":
		e.Soon.Delete(wide)
	case "pass":
		ctx.Pass()
		ctx.EmitRecord(Absent().At(wide))
	}
	return nil
}

func (e *everything) OnTimer(timer FiredTimer, ctx *Context) error {
	ctx.EmitString(fmt.Sprintf("%s %s %d", timer.Name(), timer.Key(), timer.Timestamp()))
	return nil
}

// script returns commands at random.
func script(random *rand.Rand, length int) (records []TestRecord) {
	names := []string{"add", "value", "clear", "append", "append", "pop", "truncate", "list", "put", "put", "remove", "map", "plain", "timer", "untimer", "pass"}
	for range length {
		value := fmt.Sprint(names[random.IntN(len(names))], " ", random.IntN(5))
		records = append(records, TestRecord{Key: string(rune('a' + random.IntN(3))), Value: value, Time: int64(random.IntN(9)), HasTime: true})
	}
	return records
}

func TestCutsAndNewInstancesChangeNothing(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		records := script(random, 60)
		whole, cut := newHost(t, &everything{}), newHost(t, &everything{})
		send(t, whole, records)
		for left := records; len(left) > 0; {
			count := 1 + random.IntN(len(left))
			send(t, cut, left[:count])
			left = left[count:]
			if random.IntN(3) == 0 {
				if err := cut.Renew(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, host := range []*TestHost{whole, cut} {
			if err := host.AdvanceTo(9); err != nil {
				t.Fatal(err)
			}
		}
		same(t, seed, whole.Emitted(), cut.Emitted())
		same(t, seed, whole.EmittedTo("side"), cut.EmittedTo("side"))
	}
}

func newHost(t *testing.T, operator Operator) *TestHost {
	t.Helper()
	host, err := NewTestHost(operator, "{}")
	if err != nil {
		t.Fatal(err)
	}
	return host
}

func send(t *testing.T, host *TestHost, records []TestRecord) {
	t.Helper()
	if err := host.Send(records...); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, seed uint64, whole, cut []TestRecord) {
	t.Helper()
	if len(whole) != len(cut) {
		t.Fatalf("seed %d: %d records, and cut %d", seed, len(whole), len(cut))
	}
	for i := range whole {
		if !reflect.DeepEqual(whole[i], cut[i]) {
			t.Fatalf("seed %d: record %d is %v, and cut %v", seed, i, whole[i], cut[i])
		}
	}
}

func TestListsAreWhatSlicesAre(t *testing.T) {
	host := newHost(t, &everything{})
	var model []string
	for i := range 40 {
		send(t, host, []TestRecord{{Key: "k", Value: fmt.Sprint("append ", i)}})
		model = append(model, fmt.Sprint(i), fmt.Sprint(i)+"'")
		commands := []string{fmt.Sprint("pop ", i%4), fmt.Sprint("truncate ", 50-i), fmt.Sprint("append x", i), "list 1"}
		var records []TestRecord
		for _, command := range commands {
			records = append(records, TestRecord{Key: "k", Value: command})
		}
		send(t, host, records)
		model = model[min(i%4, len(model)):]
		model = append(model[:min(50-i, len(model)):len(model)], fmt.Sprint("x", i), fmt.Sprint("x", i)+"'")
		expect := fmt.Sprint(len(model), model, model[1], true)
		if emitted := host.Emitted(); emitted[len(emitted)-1].Value != expect {
			t.Fatalf("%d: %s, and not %s", i, emitted[len(emitted)-1].Value, expect)
		}
	}
}

func TestAListThatIsGoneThroughIsShownAsItWas(t *testing.T) {
	host := newHost(t, &changing{})
	send(t, host, []TestRecord{{Key: "k", Value: "a"}, {Key: "k", Value: "b"}})
	send(t, host, []TestRecord{{Key: "k", Value: "c"}, {Key: "k", Value: "d"}})
	if emitted := host.Emitted(); emitted[1].Value != "a b" || emitted[3].Value != "a b c d" {
		t.Error(emitted)
	}
}

// changing changes its list while it goes through it.
type changing struct {
	List ListState[string] `weir:"list"`
}

func (c *changing) Process(record Record, ctx *Context) error {
	c.List.Append(string(record.Value()))
	var shown []string
	for item := range c.List.Values() {
		shown = append(shown, item)
		if len(shown) == 1 {
			all := slices.Collect(c.List.Values())
			if record.Value()[0] == 'b' {
				c.List.Truncate(0)
			} else {
				c.List.Clear()
			}
			// Another number of them each time, so that nothing comes to lie where it was.
			c.List.Append(slices.Repeat([]string{"x"}, len(all))...)
			c.List.Append(all...)
			c.List.PopFront(len(all))
		}
	}
	ctx.EmitString(strings.Join(shown, " "))
	return nil
}
