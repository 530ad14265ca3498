package weir

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNumbersAreAppendedAsStrconvDoes(t *testing.T) {
	numbers := []int64{0, 1, 9, 10, 99, 100, 9_999, 10_000, 99_999_999, 100_000_000, math.MaxInt64, math.MinInt64, math.MinInt64 + 1}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		numbers = append(numbers, int64(random.Uint64()>>random.IntN(64)))
	}
	for _, number := range numbers {
		for _, number := range []int64{number, -number} {
			for _, room := range []int{1, 9, 64} {
				b := append(make([]byte, 0, room), 'x')
				if is, expect := string(AppendInt(b, number)), "x"+strconv.FormatInt(number, 10); is != expect {
					t.Fatalf("%s, and not %s", is, expect)
				}
				if is, expect := string(AppendUint(b, uint64(number))), "x"+strconv.FormatUint(uint64(number), 10); is != expect {
					t.Fatalf("%s, and not %s", is, expect)
				}
			}
		}
	}
}

func TestShortTextsAreUTF8WhereLongOnesAre(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50_000 {
		text := make([]byte, random.IntN(20))
		for i := range text {
			text[i] = "abcdefgh\xc3\xa9\xff"[random.IntN(11)]
		}
		if IsUTF8(text) != utf8.Valid(text) {
			t.Fatalf("%q", text)
		}
	}
}

func TestWhatIsAppendedIsWhole(t *testing.T) {
	all := []byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-*/=()")
	for length := range len(all) + 1 {
		for _, room := range []int{0, length, 100} {
			to := append(make([]byte, 0, room+1), 7)
			if is := appendBytes(to, all[:length]); is[0] != 7 || !bytes.Equal(is[1:], all[:length]) {
				t.Errorf("%d bytes with room for %d: %q", length, room, is)
			}
			if is := appendJSON(to, all[:length]); string(is[1:]) != strconv.Quote(string(all[:length])) {
				t.Errorf("%d bytes with room for %d: %s", length, room, is)
			}
		}
	}
}

// echo emits what it is given.
type echo struct{}

func (echo) Process(record Record, ctx *Context) error {
	if string(record.Key()) == "0" {
		ctx.EmitKeyed(record.Key(), record.Value())
	} else {
		ctx.Emit(record.Value())
	}
	return nil
}

func TestValuesOfEveryLengthAreEmittedWithTheirCauses(t *testing.T) {
	host := newHost(t, &echo{})
	all := strings.Repeat("0123456789", 9)
	var records []TestRecord
	for i := range 3 * len(all) {
		// One with a key of its own makes those behind it have one, too.
		records = append(records, TestRecord{Key: strconv.Itoa(len(all) + 7 - i%199), Value: all[:i%len(all)]})
	}
	for batch := range slices.Chunk(records, 30) {
		send(t, host, batch)
	}
	for i, is := range host.Emitted() {
		if !reflect.DeepEqual(is, records[i]) {
			t.Fatalf("%v, and not %v", is, records[i])
		}
	}
}
