package weir

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// emitting emits what its records say.
type emitting struct {
	Side Output `weir:"side"`
}

func (e *emitting) Process(record Record, ctx *Context) error {
	switch string(record.Value()) {
	case "plain":
		ctx.EmitString("plain")
	case "pass":
		ctx.Pass()
		ctx.Pass()
	case "both":
		ctx.EmitString("made")
		ctx.Pass()
	case "own":
		ctx.EmitRecord(Value([]byte("own")).WithoutKey().At(5).WithHeaders(Header{"h", []byte("2")}))
	case "absent":
		e.Side.EmitAbsent()
	case "json":
		return e.Side.EmitJSON(map[string]string{"<": "é\u2028\"\x01"})
	case "no json":
		return e.Side.EmitJSON(make(chan int))
	}
	return nil
}

func TestRecordsInheritWhatTheyDoNotSay(t *testing.T) {
	host := newHost(t, &emitting{})
	header := []Header{{"h", []byte("1")}}
	var records []TestRecord
	for _, command := range []string{"plain", "own", "pass", "both", "plain", "absent"} {
		records = append(records, TestRecord{Key: "k", Value: command, Time: -1, HasTime: true, Headers: header})
	}
	send(t, host, records)
	made := TestRecord{Key: "k", Value: "plain", Time: -1, HasTime: true, Headers: header}
	expect := []TestRecord{
		made,
		{NoKey: true, Value: "own", Time: 5, HasTime: true, Headers: []Header{{"h", []byte("2")}}},
		records[2], records[3],
		{Key: "k", Value: "made", Time: -1, HasTime: true, Headers: header},
		made,
	}
	if !reflect.DeepEqual(host.Emitted(), expect) {
		t.Errorf("%v", host.Emitted())
	}
	if side := host.EmittedTo("side"); !side[0].Absent || side[0].Key != "k" {
		t.Error(side)
	}
}

func TestJSONIsWrittenAsItIs(t *testing.T) {
	host := newHost(t, &emitting{})
	send(t, host, []TestRecord{{Value: "json"}})
	if err := host.Send(TestRecord{Value: "json"}, TestRecord{Value: "no json"}); err == nil {
		t.Error("a channel has JSON")
	}
	if is := host.EmittedTo("side"); len(is) != 1 || is[0].Value != `{"<":"é\u2028\"\u0001"}` {
		t.Error(is)
	}
	text := "a\"\\\b\f\n\r\t\x01\x1f\x7fé\u2028🦀\xff<"
	expect := `"a\"\\\b\f\n\r\t\u0001\u001f` + "\x7fé\u2028🦀\ufffd<\""
	if is := string(AppendJSONString(nil, text)); is != expect {
		t.Error(is)
	}
	if is := AppendJSONBytes(nil, []byte(text)); string(is) != expect {
		t.Error(is)
	}
}

func TestWhatIsEscapedIsSeenAtEveryPlace(t *testing.T) {
	for length := 1; length < 20; length++ {
		for at := range length {
			for c, escaped := range map[string]string{`"`: `\"`, `\`: `\\`, "\n": `\n`, "\x1f": `\u001f`, "\xff": "\ufffd", "~": "~", " ": " "} {
				before, after := strings.Repeat("a", at), strings.Repeat("b", length-at-1)
				if is, expect := string(AppendJSONString(nil, before+c+after)), `"`+before+escaped+after+`"`; is != expect {
					t.Fatalf("%s, and not %s", is, expect)
				}
			}
		}
	}
}

func TestBytesOfEveryLengthAreAppended(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for length := range len(all) {
		for _, room := range []int{0, 1, 300} {
			to := append(make([]byte, 0, 1+room), 7)
			if is := appendBytes(to, all[:length]); is[0] != 7 || !bytes.Equal(is[1:], all[:length]) {
				t.Fatal(length, room)
			}
		}
	}
}

func TestLinesHaveTheLevelThatSlogWritesBeforeThem(t *testing.T) {
	var lines []string
	var levels []level
	writer := lineWriter{log: func(level level, line string) { lines, levels = append(lines, line), append(levels, level) }}
	for _, part := range []string{"WARN a", " b\nplain\nERR", "OR+2 c=1\nINFO: no\n", "DEBUG d\n\nrest"} {
		if n, err := writer.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	writer.flush()
	if !slices.Equal(lines, []string{"a b", "plain", "c=1", "INFO: no", "d", "", "rest"}) {
		t.Errorf("%q", lines)
	}
	if !slices.Equal(levels, []level{levelWarn, levelInfo, levelError, levelInfo, levelDebug, levelInfo, levelInfo}) {
		t.Error(levels)
	}
}
