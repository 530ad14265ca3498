package cbor

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

type totals struct {
	_          struct{} `weir:"Totals"`
	Flights    uint64   `weir:"flights"`
	TotalDelay int64    `weir:"total_delay"`
	Seen       *string  `weir:"seen"`
}

type pair struct {
	_ struct{} `weir:",tuple"`
	A uint32
	B bool
}

type returned struct {
	_   struct{} `weir:"Returned"`
	Why string   `weir:"why"`
	At  int64    `weir:"at"`
}

type order struct {
	_        struct{}  `weir:"Order,enum"`
	Pending  bool      `weir:"Pending"`
	Shipped  *uint32   `weir:"Shipped"`
	Split    *pair     `weir:"Split"`
	Returned *returned `weir:"Returned"`
}

func codecOf[T any](t *testing.T) *Codec {
	t.Helper()
	codec, err := Of(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

// check holds a value to its encoding, both ways.
func check[T any](t *testing.T, value T, expect string) {
	t.Helper()
	codec := codecOf[T](t)
	encoded, err := codec.Append(nil, unsafe.Pointer(&value))
	if is := hex.EncodeToString(encoded); err != nil || is != expect {
		t.Errorf("%#v: %s, %v, and not %s", value, is, err, expect)
	}
	read := new(T)
	data, _ := hex.DecodeString(expect)
	if err := codec.Decode(data, unsafe.Pointer(read)); err != nil || !reflect.DeepEqual(*read, value) {
		t.Errorf("%s: %#v, %v, and not %#v", expect, *read, err, value)
	}
}

func refused[T any](t *testing.T, data, expect string) {
	t.Helper()
	bytes, _ := hex.DecodeString(data)
	err := codecOf[T](t).Decode(bytes, unsafe.Pointer(new(T)))
	if err == nil || !strings.Contains(err.Error(), expect) {
		t.Errorf("%s: %v, and not %s", data, err, expect)
	}
}

func TestIntegersAreAsInTheRFC(t *testing.T) {
	cases := map[uint64]string{0: "00", 1: "01", 10: "0a", 23: "17", 24: "1818", 100: "1864", 255: "18ff", 256: "190100", 1000: "1903e8",
		1_000_000: "1a000f4240", 1_000_000_000_000: "1b000000e8d4a51000", math.MaxUint64: "1bffffffffffffffff"}
	for value, expect := range cases {
		check(t, value, expect)
	}
	for value, expect := range map[int64]string{-1: "20", -10: "29", -100: "3863", -1000: "3903e7", math.MinInt64: "3b7fffffffffffffff"} {
		check(t, value, expect)
	}
	check(t, int(-1), "20")
	check(t, uint8(255), "18ff")
}

func TestFloatsAreAsInTheRFC(t *testing.T) {
	cases := map[float64]string{0: "f90000", 1: "f93c00", 1.1: "fb3ff199999999999a", 1.5: "f93e00", 65504: "f97bff", 100_000: "fa47c35000",
		math.MaxFloat32: "fa7f7fffff", 1e300: "fb7e37e43c8800759c", 5.960464477539063e-8: "f90001", 0.00006103515625: "f90400", -4: "f9c400",
		-4.1: "fbc010666666666666", math.Inf(1): "f97c00", math.Inf(-1): "f9fc00", math.Copysign(0, -1): "f98000"}
	for value, expect := range cases {
		check(t, value, expect)
	}
	check(t, float32(1.5), "f93e00")
	if is := appendFloat(nil, math.NaN()); hex.EncodeToString(is) != "f97e00" {
		t.Error(is)
	}
	for half := range 1 << 16 {
		value := halfValue(uint16(half))
		if is, exact := halfBits(float32(value)); value == value && (!exact || is != uint16(half)) {
			t.Fatalf("%v: %04x", value, half)
		}
	}
}

func TestTextsListsAndMapsAreAsInTheRFC(t *testing.T) {
	check(t, true, "f5")
	check(t, struct{}{}, "f6")
	check(t, (*uint8)(nil), "f6")
	check(t, "ü", "62c3bc")
	check(t, []byte{1, 2}, "420102")
	check(t, []uint16{}, "80")
	check(t, [2]uint8{2, 3}, "820203")
	check(t, pair{A: 1, B: true}, "8201f5")
	check(t, map[string]string{"a": "A", "b": "B"}, "a26161614161626142")
	check(t, map[int64]uint8{-1: 1, 10: 2, 100: 3}, "a30a021864032001")
}

func TestStructsAreMapsFromNamesInOrder(t *testing.T) {
	seen := "x"
	check(t, totals{Flights: 3, TotalDelay: -5, Seen: &seen}, "a3647365656e617867666c6967687473036b746f74616c5f64656c617924")
}

func TestCasesAreNamesOrMapsOfOneEntry(t *testing.T) {
	five := uint32(5)
	check(t, order{Pending: true}, "6750656e64696e67")
	check(t, order{Shipped: &five}, "a1675368697070656405")
	check(t, order{Split: &pair{A: 1, B: true}}, "a16553706c69748201f5")
	check(t, order{Returned: &returned{Why: "w", At: 1}}, "a16852657475726e6564a262617401637768796177")
	for _, none := range []order{{}, {Pending: true, Shipped: &five}} {
		if _, err := codecOf[order](t).Append(nil, unsafe.Pointer(&none)); err == nil {
			t.Errorf("%v has an encoding", none)
		}
	}
}

func TestTypesAreDescribedInTheGrammar(t *testing.T) {
	describe := func(codec *Codec, expect string) {
		if codec.Schema != expect {
			t.Errorf("%s, and not %s", codec.Schema, expect)
		}
	}
	describe(codecOf[totals](t), "Totals{flights:u64,total_delay:i64,seen:option<string>}")
	describe(codecOf[order](t), "Order[Pending,Shipped(u32),Split(tuple<u32,bool>),Returned(Returned{why:string,at:i64})]")
	describe(codecOf[map[string][]*float64](t), "map<string,list<option<f64>>>")
}

type loop struct{ Next []loop }

func TestWhatHasNoDescriptionIsRefused(t *testing.T) {
	cases := map[string]reflect.Type{
		"contains itself": reflect.TypeFor[loop](),
		"null":            reflect.TypeFor[**int8](),
		"cannot be kept":  reflect.TypeFor[chan int](),
		"export it":       reflect.TypeFor[struct{ hidden int }](),
		"two fields": reflect.TypeFor[struct {
			A, B int `weir:"x"`
		}](),
		"is no name": reflect.TypeFor[struct {
			A int `weir:"1x"`
		}](),
		"a bool": reflect.TypeFor[struct {
			_ struct{} `weir:",enum"`
			A int
		}](),
	}
	for expect, of := range cases {
		if _, err := Of(of); err == nil || !strings.Contains(err.Error(), expect) {
			t.Errorf("%v: %v, and not %s", of, err, expect)
		}
	}
}

func TestWhatIsNotDeterministicIsRefused(t *testing.T) {
	refused[uint64](t, "1817", "shortest form")
	refused[uint64](t, "1900ff", "shortest form")
	refused[float64](t, "fa3fc00000", "shortest form")
	refused[float64](t, "f97e01", "shortest form")
	refused[string](t, "7801", "shortest form")
	refused[[]uint8](t, "9f01ff", "definite length")
	refused[map[uint8]uint8](t, "a202010101", "not in order")
	refused[uint64](t, "c000", "a tag")
	refused[uint64](t, "0000", "1 bytes follow")
}

func TestHostileBytesAreErrors(t *testing.T) {
	refused[uint64](t, "", "bytes end")
	refused[string](t, "7bffffffffffffffff", "left")
	refused[[]uint64](t, "9bffffffffffffffff", "items in 0 bytes")
	refused[map[uint8]uint8](t, "bbffffffffffffffff", "items in 0 bytes")
	refused[string](t, "61ff", "not UTF-8")
	refused[int64](t, "3bffffffffffffffff", "beyond")
	refused[uint8](t, "190100", "no u8")
	refused[order](t, "a2", "items")
	refused[totals](t, "a364736565786167666c6967687473036b746f74616c5f64656c617924", "the field seen is not")
	refused[order](t, "a16750656e64696e67f6", "stands with a value")
	random := rand.New(rand.NewPCG(8, 9))
	for range 20_000 {
		data := make([]byte, random.IntN(12))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		again[[]map[string]*float64](t, data)
		again[totals](t, data)
		again[order](t, data)
	}
}

// again holds what can be decoded to the same bytes.
func again[T any](t *testing.T, data []byte) {
	codec, value := codecOf[T](t), new(T)
	if codec.Decode(data, unsafe.Pointer(value)) != nil {
		return
	}
	if encoded, err := codec.Append(nil, unsafe.Pointer(value)); err != nil || string(encoded) != string(data) {
		t.Errorf("%x: %x, %v", data, encoded, err)
	}
}
