// Lines in, words out: each word is the key of a record with an empty value.
//
// A word is a maximal run of Unicode letters and digits, lower-cased. There is no state, so the input needs no key; what follows counts the words
// behind an edge with by = "key".
package main

import (
	"strings"

	"weir"
)

// Split splits lines into words.
type Split struct{}

func (*Split) Process(record weir.Record, ctx *weir.Context) error {
	line, err := record.Text()
	if err != nil {
		return err
	}
	for word := range strings.FieldsFuncSeq(line, isBetweenWords) {
		ctx.EmitKeyed([]byte(lower(word)), nil)
	}
	return nil
}

func init() { weir.Export("word-count-split", "0.1.0", &Split{}) }

func main() {}
