// Flights in, keyed by aircraft: a running count and total of arrival delays out.
//
// A record's value is a CSV row whose header the source hands over. For each row that knows its tailnum and arr_delay one JSON line is emitted:
// {"tailnum":"N14228","flights":1,"total_delay":11}. With the config {"emit":"mean"} every row gives a CSV line instead: the aircraft, its rows so
// far, and its mean delay in minutes (N14228,1,11.00).
package main

import (
	"errors"
	"fmt"
	"strings"

	"weir"
	"weir/csv"
)

// FlightDelays is the operator.
type FlightDelays struct {
	Totals weir.ValueState[Totals] `weir:"totals"`

	// columns are tailnum and arr_delay.
	columns *csv.Columns
	isMean  bool
}

// Open reads the config and the header.
func (f *FlightDelays) Open(setup *weir.Setup) error {
	config := struct {
		Emit string `json:"emit"`
	}{"totals"}
	if err := setup.Config(&config); err != nil {
		return err
	}
	if f.isMean = config.Emit == "mean"; !f.isMean && config.Emit != "totals" {
		return fmt.Errorf("emit is \"totals\" or \"mean\", and not %q", config.Emit)
	}
	header, ok := setup.Schema(0)
	if !ok {
		return errors.New("flight-delays needs the header of its rows: let a csv source feed it directly")
	}
	var err error
	f.columns, err = csv.Find(header, "tailnum", "arr_delay")
	return err
}

// Process adds a flight.
func (f *FlightDelays) Process(record weir.Record, ctx *weir.Context) error {
	var fields [2][]byte
	if err := f.columns.Read(record.Value(), fields[:]); err != nil {
		return err
	}
	tailnum := fields[0]
	delay, hasDelay, err := minutes(fields[1])
	if err != nil || !f.isMean && !(hasDelay && isKnown(tailnum)) {
		return err
	}
	totals, _ := f.Totals.Get()
	totals.add(delay, hasDelay)
	f.Totals.Set(totals)
	if f.isMean {
		ctx.EmitAppend(func(b []byte) []byte { return totals.appendMean(b, tailnum) })
		return nil
	}
	if err := checkText(tailnum); err != nil {
		return err
	}
	ctx.EmitAppend(func(b []byte) []byte { return totals.appendJSON(b, tailnum) })
	return nil
}

// isKnown says whether a field has a value.
func isKnown(field []byte) bool { return len(field) > 0 && string(field) != "NA" }

// minutes reads a delay in whole minutes, if it is known.
func minutes(field []byte) (delay int64, ok bool, err error) {
	if !isKnown(field) {
		return 0, false, nil
	}
	digits := field
	if field[0] == '-' {
		digits = field[1:]
	}
	largest := byte(0)
	for _, digit := range digits {
		largest = max(largest, digit-'0')
		delay = 10*delay + int64(digit-'0')
	}
	if len(digits) == 0 || len(digits) > 9 || largest > 9 {
		return 0, false, fmt.Errorf("the arrival delay `%s` is no number of minutes", strings.Trim(fmt.Sprintf("%q", field), `"`))
	}
	if len(digits) < len(field) {
		delay = -delay
	}
	return delay, true, nil
}

func init() { weir.Export("flight-delays", "0.1.0", &FlightDelays{}) }

func main() {}
