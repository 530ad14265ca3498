package csv

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestFieldsAreFoundByTheirColumns(t *testing.T) {
	columns, err := Find("year,arr_delay,tailnum", "tailnum", "arr_delay")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][2]string{
		"2013,11,N14228":               {"N14228", "11"},
		"2013,,":                       {"", ""},
		`2013,"1,1","N ""1"""`:         {`N "1"`, "1,1"},
		"2013,-4,N14228,more,and more": {"N14228", "-4"},
		`2013,-4,N14228,"never read`:   {"N14228", "-4"},
		",,":                           {"", ""},
	}
	for row, expect := range cases {
		var fields [2][]byte
		if err := columns.Read([]byte(row), fields[:]); err != nil || string(fields[0]) != expect[0] || string(fields[1]) != expect[1] {
			t.Errorf("%s: %q, %v", row, fields, err)
		}
	}
}

func TestWhatIsNoRowIsRefused(t *testing.T) {
	columns, err := Find(`"a",b,c`, "c")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{"": "1 fields, and field 3", "1,2": "2 fields, and field 3 is wanted", `1,"2`: "does not end", `1,"2"x,3`: "`x` follows"}
	for row, expect := range cases {
		var fields [1][]byte
		if err := columns.Read([]byte(row), fields[:]); err == nil || !strings.Contains(err.Error(), expect) {
			t.Errorf("%q: %v", row, err)
		}
	}
	for names, expect := range map[string]string{"x": "no column `x`", "b b": "asked for twice"} {
		if _, err := Find("a,b", strings.Fields(names)...); err == nil || !strings.Contains(err.Error(), expect) {
			t.Errorf("%q: %v", names, err)
		}
	}
	if _, err := Find("a,a", "a"); err == nil || !strings.Contains(err.Error(), "more than one") {
		t.Error(err)
	}
}

func TestPlainRowsAreReadAsTheSlowWayReadsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		row := make([]byte, random.IntN(90))
		for i := range row {
			row[i] = `,,ab"é`[random.IntN(7)]
		}
		ascending := []column{{random.IntN(3), 1}, {3 + random.IntN(3), 0}}
		columns := &Columns{ascending, stepsThrough(ascending)}
		var fast, slow [2][]byte
		isPlain, err := columns.readPlain(row, fast[:]), columns.readQuoted(row, slow[:])
		if !isPlain {
			if err == nil && !bytes.Contains(row, []byte{'"'}) {
				t.Fatalf("%q %v is plain", row, columns)
			}
			continue
		}
		if err != nil || !bytes.Equal(fast[0], slow[0]) || !bytes.Equal(fast[1], slow[1]) {
			t.Fatalf("%q %v: %q, %q, %v", row, columns, fast, slow, err)
		}
	}
}
