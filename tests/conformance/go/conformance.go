// Package conformance has what the two operators of the conformance tests share. What they do, word by word, is written in tests/conformance/README.md.
package conformance

import (
	"fmt"
	"strings"
)

// Words returns the first word of a command, and what is behind the space that follows it.
func Words(text string) (word, rest string) {
	word, rest, _ = strings.Cut(text, " ")
	return word, rest
}

// OrNone returns what there is as text, and none where there is nothing.
func OrNone[T any](value T, ok bool) string {
	if !ok {
		return "none"
	}
	return fmt.Sprint(value)
}
