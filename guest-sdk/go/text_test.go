package weir

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// broken fails, panics, counts and declares with texts that are no UTF-8, as its records say.
type broken struct{}

func (*broken) Process(record Record, ctx *Context) error {
	switch text := "got \xff" + string(record.Value()[1:]); record.Value()[0] {
	case 'e':
		return errors.New(text)
	case 'p':
		panic(text)
	default:
		ctx.Metric(text, 1)
	}
	return nil
}

func TestTextsOfFailuresAreUTF8(t *testing.T) {
	host, err := NewTestHost(&broken{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"e\xfe", "p"} {
		err := host.Send(TestRecord{Value: value})
		if err == nil || !utf8.ValidString(err.Error()) || !strings.Contains(err.Error(), "got \ufffd") {
			t.Errorf("%q: %v", value, err)
		}
	}
	if err := host.Send(TestRecord{Value: "m"}); err != nil || host.in.context.metrics[0].name != "got \ufffd" {
		t.Errorf("%v, %q", err, host.in.context.metrics)
	}
}

func TestNamesAreUTF8(t *testing.T) {
	declared, _, err := declare("a\xff", "1\xff", &struct {
		broken
		In Input `weir:"in,accepts=a\xff/1"`
	}{})
	if err != nil || declared.name != "a\ufffd" || declared.version != "1\ufffd" || declared.inputs[0].accepts[0].id != "a\ufffd" {
		t.Error(declared, err)
	}
}

func TestLinesAreUTF8(t *testing.T) {
	var lines []string
	w := lineWriter{log: func(_ level, line string) { lines = append(lines, line) }}
	fmt.Fprintln(&w, "got \xff")
	fmt.Fprint(&w, "cut \xe2\x82")
	w.flush()
	if got := strings.Join(lines, "|"); got != "got \ufffd|cut \ufffd" {
		t.Errorf("%q", got)
	}
	// A line that does not end is cut between characters, and nothing of it is lost.
	for shift := range 4 {
		lines = nil
		long := strings.Repeat("x", shift) + strings.Repeat("\U0001f600", lineMax)
		for at := 0; at < len(long); at += 1000 {
			fmt.Fprint(&w, long[at:min(at+1000, len(long))])
		}
		w.flush()
		if strings.Join(lines, "") != long || len(lines) < 4 {
			t.Errorf("%d: %d lines, of other text", shift, len(lines))
		}
	}
	lines = nil
	fmt.Fprint(&w, strings.Repeat("\x80", lineMax+1))
	w.flush()
	if len(lines) == 0 || strings.Trim(strings.Join(lines, ""), "\ufffd") != "" {
		t.Errorf("%q", lines)
	}
}
