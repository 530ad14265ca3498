package main

import (
	"testing"
)

func TestMeansHaveTwoDecimals(t *testing.T) {
	var totals Totals
	delays := []int64{11, -4, 1}
	expect := []string{"N1,1,11.00", "N1,2,3.50", "N1,3,2.67"}
	for i, delay := range delays {
		totals.add(delay, true)
		if is := string(totals.appendMean(nil, []byte("N1"))); is != expect[i] {
			t.Errorf("%s, and not %s", is, expect[i])
		}
	}
	below := Totals{Rows: 3, Flights: 3, TotalDelay: -1}
	if is := string(below.appendMean(nil, []byte("N2"))); is != "N2,3,-0.33" {
		t.Error(is)
	}
}

func TestDelaysAreWholeMinutes(t *testing.T) {
	for field, expect := range map[string]int64{"11": 11, "-20": -20, "999999999": 999_999_999} {
		if is, ok, err := minutes([]byte(field)); is != expect || !ok || err != nil {
			t.Errorf("%s: %d, %v, %v", field, is, ok, err)
		}
	}
	for _, field := range []string{"soon", "-", "1234567890", "1.5"} {
		if _, _, err := minutes([]byte(field)); err == nil {
			t.Errorf("%s is taken for a number", field)
		}
	}
}
