package main

import (
	"errors"
	"math"

	"weir"
)

// Totals are the sums over an aircraft's rows.
type Totals struct {
	// Rows counts rows, and Flights those with a known arrival delay.
	Rows, Flights uint64
	// TotalDelay is the sum of the delays, in minutes.
	TotalDelay int64
}

// PlainState says that the sums are kept as they lie in memory: three little-endian numbers of 64 bits.
func (Totals) PlainState() {}

// add adds one more row.
func (t *Totals) add(delay int64, hasDelay bool) {
	t.Rows++
	if !hasDelay {
		return
	}
	t.Flights++
	switch {
	case delay > 0 && t.TotalDelay > math.MaxInt64-delay:
		t.TotalDelay = math.MaxInt64
	case delay < 0 && t.TotalDelay < math.MinInt64-delay:
		t.TotalDelay = math.MinInt64
	default:
		t.TotalDelay += delay
	}
}

// appendJSON appends {"tailnum":"N14228","flights":1,"total_delay":11}.
func (t *Totals) appendJSON(b, tailnum []byte) []byte {
	b = append(b, `{"tailnum":`...)
	b = weir.AppendJSONBytes(b, tailnum)
	b = append(b, `,"flights":`...)
	b = weir.AppendUint(b, t.Flights)
	b = append(b, `,"total_delay":`...)
	b = weir.AppendInt(b, t.TotalDelay)
	return append(b, '}')
}

// appendMean appends N14228,1,11.00: the mean has two decimals, halves rounded up, and is empty while no delay is known.
func (t *Totals) appendMean(b, tailnum []byte) []byte {
	b = append(append(b, tailnum...), ',')
	b = append(weir.AppendUint(b, t.Rows), ',')
	if t.Flights == 0 || t.Flights > math.MaxInt64 {
		return b
	}
	hundredths := t.meanHundredths()
	size := uint64(hundredths)
	if hundredths < 0 {
		b, size = append(b, '-'), -size
	}
	b = append(weir.AppendUint(b, size/100), '.')
	return append(b, '0'+byte(size%100/10), '0'+byte(size%10))
}

// meanHundredths returns the mean delay in hundredths of a minute.
func (t *Totals) meanHundredths() int64 {
	flights := int64(t.Flights)
	twice, by := 200*t.TotalDelay+flights, 2*flights
	mean := twice / by
	if twice%by < 0 {
		mean--
	}
	return mean
}

// checkText refuses a tailnum that JSON has no text for.
func checkText(tailnum []byte) error {
	if !weir.IsUTF8(tailnum) {
		return errors.New("the tailnum is not UTF-8: it is an invalid utf-8 sequence")
	}
	return nil
}
