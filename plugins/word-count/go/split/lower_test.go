package main

import (
	"slices"
	"strings"
	"testing"
)

func TestWordsAreRunsOfLettersAndDigitsInLowerCase(t *testing.T) {
	cases := map[string][]string{
		"The battle-field, 1863!": {"the", "battle", "field", "1863"},
		"Ünïcode ΣΊΣΥΦΟΣ 東京42":    {"ünïcode", "σίσυφος", "東京42"},
		"don't":                   {"don", "t"},
		"İstanbul Σ ΑΣ1":          {"i\u0307stanbul", "σ", "ας1"},
		"हिन्दी ⒶⓑⓏ":              {"हिन", "दी", "ⓐⓑⓩ"},
		"  -- ":                   nil,
	}
	for line, expect := range cases {
		var words []string
		for word := range strings.FieldsFuncSeq(line, isBetweenWords) {
			words = append(words, lower(word))
		}
		if !slices.Equal(words, expect) {
			t.Errorf("%q: %q", line, words)
		}
	}
}
