// Words in, as keys; after each the word and how often it has come: {"word":"a","count":1}.
package main

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"weir"
)

// Occurrences is the state of a word.
type Occurrences struct {
	Count uint64 `weir:"count"`
}

// Count counts words.
type Count struct {
	Occurrences weir.ValueState[Occurrences] `weir:"occurrences"`
}

func (c *Count) Process(record weir.Record, ctx *weir.Context) error {
	if !record.HasKey() {
		return errors.New("a word is the key of its record, and this record has none")
	}
	word := record.Key()
	if !utf8.Valid(word) {
		return errors.New("the word is not UTF-8: it is an invalid utf-8 sequence")
	}
	known, _ := c.Occurrences.Get()
	known.Count++
	c.Occurrences.Set(known)
	ctx.EmitAppend(func(b []byte) []byte {
		b = append(b, `{"word":`...)
		b = weir.AppendJSONBytes(b, word)
		b = append(b, `,"count":`...)
		b = strconv.AppendUint(b, known.Count, 10)
		return append(b, '}')
	})
	return nil
}

func init() { weir.Export("word-count-count", "0.1.0", &Count{}) }

func main() {}
