// Package csv finds fields of one CSV row (RFC 4180) by their columns, reading no further than the last of them: for operators behind a csv source, which
// hands them rows as values and the header as the schema of the input.
//
// Rows without quotes, which is nearly all of them, are searched eight bytes at a time. A row with a quote before the end of the last wanted field goes the
// slow way, field by field.
package csv

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unsafe"
)

// Columns are the columns that are wanted of each row.
type Columns struct {
	// ascending has each column in the order of the row.
	ascending []column
	// steps lead from comma to comma through a row, up to the end of the last column.
	steps []step
}

// column is a wanted column, and its place among the names.
type column struct {
	number, place int
}

// step passes so many commas. One that has a place passes one comma: what stands before it is the field of that place.
type step struct {
	commas, place int
}

// noPlace is that of a step to where a column begins.
const noPlace = -1

// Find finds the columns of these names in rows under a header. A name has to stand there once, and be asked for once.
func Find(header string, names ...string) (*Columns, error) {
	var all []string
	for rest := []byte(header); rest != nil; {
		field, after, err := next(rest)
		if err != nil {
			return nil, fmt.Errorf("the header: %w", err)
		}
		all, rest = append(all, string(field)), after
	}
	c := &Columns{}
	for place, name := range names {
		number := slices.Index(all, name)
		if number < 0 {
			return nil, fmt.Errorf("the header has no column `%s`: %s", name, header)
		}
		if slices.Contains(all[number+1:], name) {
			return nil, fmt.Errorf("the header has more than one column `%s`: %s", name, header)
		}
		if slices.Contains(names[:place], name) {
			return nil, fmt.Errorf("the column `%s` is asked for twice", name)
		}
		c.ascending = append(c.ascending, column{number, place})
	}
	slices.SortFunc(c.ascending, func(one, other column) int { return cmp.Compare(one.number, other.number) })
	c.steps = stepsThrough(c.ascending)
	return c, nil
}

// stepsThrough returns the way to the end of each of these columns.
func stepsThrough(ascending []column) (steps []step) {
	passed := 0
	for _, wanted := range ascending {
		if wanted.number > passed {
			steps = append(steps, step{wanted.number - passed, noPlace})
		}
		steps = append(steps, step{1, wanted.place})
		passed = wanted.number + 1
	}
	return steps
}

// Read reads the wanted fields of a row into fields, in the order of the names. They are parts of the row, but for those that need to be unquoted.
func (c *Columns) Read(row []byte, fields [][]byte) error {
	if c.readPlain(row, fields) {
		return nil
	}
	return c.readQuoted(row, fields)
}

// readPlain reads a row without quotes; it says false of any other, and of one with too few fields. It is one loop, as calls and what is kept over them cost
// more in Wasm than the search itself, and so does every jump that is taken: rows whose wanted fields end with the row are read by readUpToEnd.
func (c *Columns) readPlain(row []byte, fields [][]byte) bool {
	// found has the high bit of each byte of the eight at this place that is a comma and was not passed yet, and quotes a bit where one was a quote.
	place, found, quotes, start := -8, uint64(0), uint64(0), 0
	for i := range c.steps {
		commas := c.steps[i].commas
		here := bits.OnesCount64(found)
		for commas > here {
			commas -= here
			place += 8
			if place+8 > len(row) {
				return c.readUpToEnd(row, fields)
			}
			word := *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(row)), place))
			quote, comma := word^low*'"', word^low*','
			quotes |= (quote - low) &^ quote
			found = ^((comma&^high + ^uint64(high)) | comma) & high
			here = bits.OnesCount64(found)
		}
		if commas > 1 {
			found &= found - 1
			if commas > 2 {
				found &= found - 1
				for ; commas > 3; commas-- {
					found &= found - 1
				}
			}
		}
		end := place + bits.TrailingZeros64(found)/8
		found &= found - 1
		if to := c.steps[i].place; to != noPlace {
			fields[to] = row[start:end:end]
		}
		start = end + 1
	}
	return quotes&high == 0
}

// readUpToEnd does the same for rows of any length.
func (c *Columns) readUpToEnd(row []byte, fields [][]byte) bool {
	place, found, quotes, start := -8, uint64(0), uint64(0), 0
	for _, step := range c.steps {
		commas := step.commas
		for here := bits.OnesCount64(found); commas > here; here = bits.OnesCount64(found) {
			commas -= here
			place += 8
			if place > len(row) {
				return false
			}
			word := wordOf(row[place:])
			quote, comma := word^low*'"', word^low*','
			quotes |= (quote - low) &^ quote
			found = ^((comma&^high + ^uint64(high)) | comma) & high
		}
		for ; commas > 1; commas-- {
			found &= found - 1
		}
		end := place + bits.TrailingZeros64(found)/8
		found &= found - 1
		if step.place != noPlace {
			fields[step.place] = row[start:end:end]
		}
		start = end + 1
	}
	return quotes&high == 0
}

// wordOf returns the first eight bytes of what is left of a row, as they lie in memory; its end counts as a comma.
func wordOf(rest []byte) (word uint64) {
	if len(rest) >= 8 {
		return *(*uint64)(unsafe.Pointer(&rest[0]))
	}
	for i, b := range rest {
		word |= uint64(b) << (8 * i)
	}
	return word | ','<<(8*len(rest))
}

const (
	low  = 0x0101_0101_0101_0101
	high = 0x8080_8080_8080_8080
)

// readQuoted reads any row.
func (c *Columns) readQuoted(row []byte, fields [][]byte) error {
	rest, wanted := row, c.ascending
	for number := 0; len(wanted) > 0; number++ {
		if rest == nil && number > 0 {
			return fmt.Errorf("the row has %d fields, and field %d is wanted", number, wanted[0].number+1)
		}
		field, after, err := next(rest)
		if err != nil {
			return err
		}
		if number == wanted[0].number {
			fields[wanted[0].place], wanted = field, wanted[1:]
		}
		rest = after
	}
	return nil
}

// next returns the field that rest begins with, and what stands behind the comma that follows it: nil where none does.
func next(rest []byte) (field, after []byte, err error) {
	if len(rest) == 0 || rest[0] != '"' {
		end := bytes.IndexByte(rest, ',')
		if end < 0 {
			return rest, nil, nil
		}
		return rest[:end:end], rest[end+1:], nil
	}
	field, after, err = unquote(rest[1:])
	switch {
	case err != nil || len(after) == 0:
		return field, nil, err
	case after[0] != ',':
		return nil, nil, fmt.Errorf("`%s` follows a quoted field where a comma should", strings.Trim(fmt.Sprintf("%q", after[:1]), `"`))
	}
	return field, after[1:], nil
}

// unquote returns a field up to its closing quote, with doubled quotes made single, and what follows that quote.
func unquote(quoted []byte) (field, after []byte, err error) {
	field = []byte{}
	for {
		quote := bytes.IndexByte(quoted, '"')
		if quote < 0 {
			return nil, nil, errors.New("a quoted field does not end")
		}
		field = append(field, quoted[:quote]...)
		quoted = quoted[quote+1:]
		if len(quoted) == 0 || quoted[0] != '"' {
			return field, quoted, nil
		}
		field, quoted = append(field, '"'), quoted[1:]
	}
}
