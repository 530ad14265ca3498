package main

import (
	"strings"
	"unicode"
)

// isBetweenWords says whether a character is no part of a word, as Unicode's properties Alphabetic and Numeric say it.
func isBetweenWords(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.N, unicode.Other_Alphabetic, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// lower returns a word in lower case, by Unicode's full mapping: that of package strings is character by character, and knows no sigma at the end of a word.
func lower(word string) string {
	if !strings.ContainsAny(word, "Σİ") {
		return strings.ToLower(word)
	}
	characters := []rune(word)
	var lowered strings.Builder
	for i, r := range characters {
		switch {
		case r == 'İ':
			lowered.WriteString("i\u0307")
		case r == 'Σ' && isLastCased(characters, i):
			lowered.WriteRune('ς')
		default:
			lowered.WriteRune(unicode.ToLower(r))
		}
	}
	return lowered.String()
}

// isLastCased says whether a letter with case stands before this place, and none behind it. Marks and modifiers in between do not count.
func isLastCased(characters []rune, at int) bool {
	before, behind := at-1, at+1
	for before >= 0 && isCaseIgnorable(characters[before]) {
		before--
	}
	for behind < len(characters) && isCaseIgnorable(characters[behind]) {
		behind++
	}
	return before >= 0 && isCased(characters[before]) && !(behind < len(characters) && isCased(characters[behind]))
}

func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

func isCaseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
