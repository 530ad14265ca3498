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
}

// column is a wanted column, and its place among the names.
type column struct {
	number, place int
}

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
	return c, nil
}

// Read reads the wanted fields of a row into fields, in the order of the names. They are parts of the row, but for those that need to be unquoted.
func (c *Columns) Read(row []byte, fields [][]byte) error {
	if c.readPlain(row, fields) {
		return nil
	}
	return c.readQuoted(row, fields)
}

// readPlain reads a row without quotes; it says false of any other, and of one with too few fields.
func (c *Columns) readPlain(row []byte, fields [][]byte) bool {
	s := scanner{row: row, at: -8}
	field, start := 0, 0
	for _, wanted := range c.ascending {
		if skipped := wanted.number - field; skipped > 0 {
			comma, ok := s.skip(skipped)
			if !ok || comma == len(row) {
				return false
			}
			field, start = wanted.number, comma+1
		}
		end, ok := s.skip(1)
		if !ok || start > len(row) {
			return false
		}
		fields[wanted.place] = row[start:end:end]
		field, start = field+1, end+1
	}
	return true
}

// scanner goes through the commas of a row, eight bytes at a time.
type scanner struct {
	row []byte
	// at is where the eight bytes begin that found is about.
	at int
	// found has the high bit of each byte that is a comma and was not passed yet.
	found uint64
}

const (
	low  = 0x0101_0101_0101_0101
	high = 0x8080_8080_8080_8080
)

// bytesEqual returns the high bit of each byte of a word that is this one, exactly.
func bytesEqual(word uint64, b byte) uint64 {
	differ := word ^ low*uint64(b)
	return ^((differ&^high + ^uint64(high)) | differ) & high
}

// skip passes so many commas, and says where the last of them stands: the end of the row counts as one. It says false where a quote comes first, or too
// few commas do.
func (s *scanner) skip(count int) (at int, ok bool) {
	row, place, found := s.row, s.at, s.found
	here := bits.OnesCount64(found)
	for count > here {
		count -= here
		place += 8
		if place >= len(row) {
			s.at, s.found = len(row), 0
			return len(row), count == 1
		}
		word := wordAt(row, place)
		if bytesEqual(word, '"') != 0 {
			return 0, false
		}
		found = bytesEqual(word, ',')
		here = bits.OnesCount64(found)
	}
	for ; count > 1; count-- {
		found &= found - 1
	}
	s.at, s.found = place, found&(found-1)
	return place + bits.TrailingZeros64(found)/8, true
}

// wordAt returns the eight bytes at a place, or as many as there are and zeros: as they lie in memory, which is little-endian here.
func wordAt(row []byte, place int) (word uint64) {
	if place+8 <= len(row) {
		return *(*uint64)(unsafe.Pointer(&row[place]))
	}
	for i, b := range row[place:] {
		word |= uint64(b) << (8 * i)
	}
	return word
}

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
