package weir

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestWhatIsDeclaredWrongIsRefused(t *testing.T) {
	cases := map[string]Operator{
		"no name": &struct {
			nothing
			A Output `weir:"a b"`
		}{},
		"no option \"ttll\"": &struct {
			nothing
			A ValueState[int] `weir:"a,ttll=1h"`
		}{},
		"no time to live": &struct {
			nothing
			A ValueState[int] `weir:"a,ttl=an hour"`
		}{},
		"said of a time": &struct {
			nothing
			A ValueState[int] `weir:"a,time=event"`
		}{},
		"no version": &struct {
			nothing
			A ValueState[int] `weir:"a,version=0"`
		}{},
		"broadcast state has": &struct {
			nothing
			A BroadcastState[int, int] `weir:"a,ttl=1h"`
		}{},
		"cannot be kept": &struct {
			nothing
			A ListState[func()]
		}{},
		"has no OnTimer": &struct {
			nothing
			A EventTimer
		}{},
		"has to be exported": &struct {
			nothing
			a Output
		}{},
		"before the others": &struct {
			nothing
			A Output
			B Output `weir:"b,main"`
		}{},
		"by is": &struct {
			nothing
			A Input `weir:"a,by=chance"`
		}{},
		"not plain": &struct {
			nothing
			A ValueState[gaps]
		}{},
		"a windowed operator": &struct {
			windowed
			A EventTimer
		}{},
		"as their window": &struct {
			windowed
			A ValueState[int] `weir:"a,ttl=1h"`
		}{},
	}
	for expect, operator := range cases {
		if _, err := NewTestHost(operator, "{}"); err == nil || !strings.Contains(err.Error(), expect) {
			t.Errorf("%T: %v, and not %s", operator, err, expect)
		}
	}
}

// tagged is an operator whose tag is wrong.
type tagged struct {
	nothing
	Visits ValueState[uint32] `weir:"visits,tll=1h,verion=2"`
}

// mistyped is one whose state's type is.
type mistyped struct {
	nothing
	Visits ValueState[struct {
		Count uint32 `weir:"count,omitempty"`
	}]
}

func TestAWrongTagIsToldWithItsFieldAndWhatThereIs(t *testing.T) {
	cases := map[string]Operator{
		"the field tagged.Visits, tagged `weir:\"visits,tll=1h,verion=2\"`: there is no option \"tll\": a state's are version=N, ttl=DURATION, ":                           &tagged{},
		"the field mistyped.Visits: struct { Count uint32 \"weir:\\\"count,omitempty\\\"\" }.Count, tagged `weir:\"count,omitempty\"`: there is no option \"omitempty\": ": &mistyped{},
		"the field A, tagged `weir:\"a,by=key\"`: there is no option \"by\": a timer has none": &struct {
			timed
			A EventTimer `weir:"a,by=key"`
		}{},
		"the field A, tagged `weir:\"a,ttl=1h\"`: there is no option \"ttl\": an output's are main, schema=ID/VERSION": &struct {
			nothing
			A Output `weir:"a,ttl=1h"`
		}{},
		"the field A, tagged `weir:\"a,main=1,main\"`: the option \"main\" is said twice": &struct {
			nothing
			A Output `weir:"a,main=1,main"`
		}{},
		"the field A, tagged `weir:\"a,from=key\"`: there is no option \"from\": an input's are by=key or by=broadcast, accepts=ID/VERSION": &struct {
			nothing
			A Input `weir:"a,from=key"`
		}{},
	}
	for expect, operator := range cases {
		if _, _, err := declare("x", "1", operator); err == nil || !strings.HasPrefix(err.Error(), expect) {
			t.Errorf("%v, and not %s", err, expect)
		}
	}
}

func TestATagThatGoDoesNotReadIsNoFieldWithoutOne(t *testing.T) {
	// The compiler takes such tags, and they are lost without a word.
	for _, tag := range []reflect.StructTag{`weir: "a"`, `weir:a`, ` weir`} {
		field := reflect.StructField{Name: "A", Tag: tag}
		if _, err := readTag(field); err == nil || !strings.HasPrefix(err.Error(), "the tag is not written as Go reads tags: `weir:\"NAME,option=value\"`") {
			t.Error(tag, err)
		}
	}
	if read, err := readTag(reflect.StructField{Name: "A", Tag: `json:"weir"`}); err != nil || read.name != "A" {
		t.Error(read, err)
	}
}

func TestAnOlderVersionWithoutAWayIsRefusedAsInEveryLanguage(t *testing.T) {
	in, err := (&exported{"count", "1", &struct {
		nothing
		Kept ValueState[uint32] `weir:"kept,version=2"`
	}{}}).newInstance()
	if err != nil {
		t.Fatal(err)
	}
	_, err = in.migrate(0, 1, &column{[]byte{5}, []uint32{1}})
	if err == nil || err.Error() != "count cannot migrate state `kept` from version 1" {
		t.Error(err)
	}
}

type timed struct{ nothing }

func (timed) OnTimer(FiredTimer, *Context) error { return nil }

type nothing struct{}

func (nothing) Process(Record, *Context) error { return nil }

type windowed struct{ nothing }

func (windowed) OnWindow(FiredWindow, *Context) error { return nil }

type gaps struct {
	A uint8
	B uint32
}

func (gaps) PlainState() {}

func TestFieldsAreDeclaredInOrder(t *testing.T) {
	operator := &struct {
		nothing
		Left  Input                   `weir:"left,by=key,accepts=order/1 order/2"`
		Right Input                   `weir:"right,by=broadcast"`
		Main  Output                  `weir:"results,main,schema=result/3"`
		Late  Output                  `weir:"too-late"`
		Kept  MapState[string, []int] `weir:"kept,version=2,ttl=1h 30m,refresh=read"`
		Blob  ValueState[RawBytes]
	}{}
	d, _, err := declare("x", "1", operator)
	if err != nil {
		t.Fatal(err)
	}
	if d.inputs[0].accepts[1] != (recordSchema{"order", 2}) || d.inputs[1].partitioning != partitioningBroadcast {
		t.Error(d.inputs)
	}
	if d.outputs[0].name != "results" || *d.outputs[0].schema != (recordSchema{"result", 3}) || d.outputs[1].name != "too-late" {
		t.Error(d.outputs)
	}
	kept, blob := d.states[0], d.states[1]
	if kept.schema != "map<string,list<i64>>" || kept.version != 2 || *kept.ttl != (ttl{5_400_000, processingTime, true}) || blob.schema != "raw" || blob.name != "Blob" {
		t.Error(kept, blob)
	}
}

func TestDurationsAreReadAsAJobFileWritesThem(t *testing.T) {
	for text, expect := range map[string]uint64{"500ms": 500, "30s": 30_000, "10m": 600_000, "1h": 3_600_000, "7d": 604_800_000, "1h 30m": 5_400_000} {
		if ms, ok := durationMs(text); !ok || ms != expect {
			t.Errorf("%s: %d", text, ms)
		}
	}
	for _, text := range []string{"", " ", "1", "h", "1 h", "-1s", "1.5h", "1y", "1H", "99999999999999999999s", "213503982335d", "1h30m"} {
		if ms, ok := durationMs(text); ok {
			t.Errorf("%q is taken for %d ms", text, ms)
		}
	}
}

// failing fails as its records say.
type failing struct {
	Kept ValueState[string] `weir:"kept"`
}

func (f *failing) Process(record Record, _ *Context) error {
	switch string(record.Value()) {
	case "error":
		return errors.New("out of cheese")
	case "panic":
		var none []int
		_ = none[len(record.Value())]
	case "latin":
		f.Kept.Set("\xff")
	case "keep":
		f.Kept.Set("kept")
	}
	return nil
}

func TestFailuresNameTheirRecordAndLeaveNothing(t *testing.T) {
	cases := map[string]string{
		"error": "record 1: out of cheese",
		"panic": "record 1: panic: runtime error: index out of range [5] with length 0, in weir.(*failing).Process (operator_test.go:",
		"latin": "record 1: encode state `kept`: a text is not UTF-8",
	}
	for command, expect := range cases {
		host := newHost(t, &failing{})
		err := host.Send(TestRecord{Key: "a", Value: "keep"}, TestRecord{Key: "b", Value: command}, TestRecord{Key: "c", Value: ""})
		if err == nil || !strings.HasPrefix(err.Error(), expect) {
			t.Errorf("%s: %v", command, err)
		}
		send(t, host, []TestRecord{{Key: "b"}})
		if len(host.store.named["kept"].values) > 0 {
			t.Errorf("%s: something is kept", command)
		}
	}
	broadcast := newHost(t, &struct {
		failing
		In Input `weir:"in,by=broadcast"`
	}{})
	if err := broadcast.Send(TestRecord{Value: "keep"}); err == nil || !strings.Contains(err.Error(), "needs a key") {
		t.Error(err)
	}
}

func TestSettingsThatThereAreNotAreRefused(t *testing.T) {
	if _, err := NewTestHost(&nothingAtAll{}, `{"limit":1}`); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Error(err)
	}
	for _, config := range []string{"", "null", "{}", " { } "} {
		if _, err := NewTestHost(&nothingAtAll{}, config); err != nil {
			t.Errorf("%q: %v", config, err)
		}
	}
	setup := Setup{config: `{"greting":"x"}`}
	config := struct{ Greeting string }{"hello"}
	if err := setup.Config(&config); err == nil || !strings.Contains(err.Error(), "greting") {
		t.Error(err)
	}
}

type nothingAtAll struct{ nothing }
