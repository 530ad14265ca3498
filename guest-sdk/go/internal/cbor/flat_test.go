package cbor

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"
)

type counters struct {
	Small    uint8  `weir:"s"`
	Signed   int8   `weir:"a_name_of_thirteen"`
	Middle   uint16 `weir:"middle"`
	Sixteen  int16  `weir:"sixteen_"`
	Count    uint32 `weir:"count"`
	Below    int32  `weir:"below"`
	Total    uint64 `weir:"total"`
	Distance int64  `weir:"distance"`
}

// numbers returns integers of every length, some of them at an end of what their type has.
func numbers(random *rand.Rand) counters {
	any := func() uint64 { return (random.Uint64() - random.Uint64N(2)) >> random.UintN(64) }
	signed := func() int64 { return int64(any()) * int64(1-2*random.IntN(2)) }
	return counters{
		uint8(any()), int8(signed()), uint16(any()), int16(signed()), uint32(any()), int32(signed()), any(), signed(),
	}
}

// column returns items end to end, with so many bytes behind them.
func column(items [][]byte, behind int) (data []byte, ends []uint32) {
	for _, item := range items {
		data = append(data, item...)
		ends = append(ends, uint32(len(data)))
	}
	return append(data, make([]byte, behind)...), ends
}

func TestColumnsOfFlatValuesAreThoseOfTheirCodec(t *testing.T) {
	codec, random := codecOf[counters](t), rand.New(rand.NewPCG(1, 2))
	if codec.Flat == nil {
		t.Fatal("it is not flat")
	}
	values, keys, items := make([]counters, 300), []uint32{}, [][]byte{}
	for at := range values {
		values[at] = numbers(random)
		item, err := codec.Append(nil, unsafe.Pointer(&values[at]))
		if err != nil {
			t.Fatal(err)
		}
		keys, items = append(keys, uint32(at)), append(items, item)
	}
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j], items[i], items[j] = keys[j], keys[i], items[j], items[i] })
	data, ends := column(items, 0)
	written, writtenEnds := codec.Flat.Append(nil, nil, keys, unsafe.Pointer(&values[0]))
	if !reflect.DeepEqual(written, data) || !reflect.DeepEqual(writtenEnds, ends) {
		t.Error("it is written otherwise")
	}
	read := make([]counters, len(values))
	if count := codec.Flat.Read(data, ends, keys, unsafe.Pointer(&read[0]), len(read)); count < len(keys)-2 {
		t.Errorf("%d items of %d are read", count, len(keys))
	}
	data, ends = column(items, 8)
	if count := codec.Flat.Read(data, ends, keys, unsafe.Pointer(&read[0]), len(read)); count != len(keys) || !reflect.DeepEqual(read, values) {
		t.Errorf("%d items of %d are read, or others", count, len(keys))
	}
}

// What is changed at random is read by both or by neither, and as the same.
func TestFlatValuesThatAreNoneAreLeftToTheirCodec(t *testing.T) {
	codec, random := codecOf[counters](t), rand.New(rand.NewPCG(3, 4))
	refused := 0
	for range 100_000 {
		value := numbers(random)
		item, _ := codec.Append(nil, unsafe.Pointer(&value))
		for range random.UintN(3) {
			item[random.IntN(len(item))] ^= 1 << random.UintN(8)
		}
		if random.UintN(8) == 0 {
			item = item[:random.IntN(len(item)+1)]
		}
		var one, other counters
		err := codec.Decode(item, unsafe.Pointer(&one))
		data, ends := column([][]byte{item}, 40)
		count := codec.Flat.Read(data, ends, []uint32{0}, unsafe.Pointer(&other), 1)
		if (count == 1) != (err == nil) || count == 1 && one != other {
			t.Fatalf("%x: %d, %v, %v and %v", item, count, err, one, other)
		}
		if err != nil {
			refused++
		}
	}
	if refused < 10_000 {
		t.Errorf("%d are refused", refused)
	}
}

func TestItemsOfNoKeyAndEndsBehindTheDataAreNotRead(t *testing.T) {
	codec, value := codecOf[uint64](t), uint64(0)
	for _, of := range []struct {
		ends, keys []uint32
	}{{[]uint32{1}, []uint32{1}}, {[]uint32{2}, []uint32{0}}, {nil, []uint32{0}}} {
		if count := codec.Flat.Read([]byte{5}, of.ends, of.keys, unsafe.Pointer(&value), 1); count != 0 || value != 0 {
			t.Error(fmt.Sprint(of), count, value)
		}
	}
}

func TestWhatIsNotOfIntegersAloneIsNotFlat(t *testing.T) {
	for _, codec := range []*Codec{codecOf[totals](t), codecOf[pair](t), codecOf[string](t), codecOf[float64](t), codecOf[bool](t), codecOf[[]uint32](t)} {
		if codec.Flat != nil {
			t.Errorf("%s is flat", codec.Schema)
		}
	}
}
