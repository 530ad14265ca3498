package weir

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// What an operator writes with the packages log and log/slog becomes lines of the job's log. A line leaves at once: it survives the trap that follows
// it.
//
// The default handler of log/slog writes to the package log, its level first. So that is all that is listened to here, and an operator that uses neither
// carries neither.

// level is the level of a line, as the world numbers them.
type level uint8

const (
	levelDebug level = iota
	levelInfo
	levelWarn
	levelError
)

// levelNames are the levels of log/slog as it writes them.
var levelNames = map[string]level{"DEBUG": levelDebug, "INFO": levelInfo, "WARN": levelWarn, "ERROR": levelError}

// leveled takes the level off the front of a line, where one stands there as log/slog writes it: `WARN text`, `ERROR+2 text`.
func leveled(line string) (level, string) {
	word, text, ok := strings.Cut(line, " ")
	name, offset := word, ""
	if at := strings.IndexAny(word, "+-"); at >= 0 {
		name, offset = word[:at], word[at+1:]
	}
	level, isLevel := levelNames[name]
	if !ok || !isLevel || strings.Trim(offset, "0123456789") != "" {
		return levelInfo, line
	}
	return level, text
}

// lineMax bounds a line that does not end.
const lineMax = 8 << 10

// lineWriter makes lines of what is written.
type lineWriter struct {
	log   func(level level, line string)
	begun []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.begun = append(w.begun, p...)
	for {
		end := bytes.IndexByte(w.begun, '\n')
		if end < 0 && len(w.begun) < lineMax {
			return len(p), nil
		}
		if end < 0 {
			end = lastOfWhole(w.begun)
		}
		w.log(leveled(validText(strings.TrimSuffix(string(w.begun[:end+1]), "\n"))))
		w.begun = append(w.begun[:0], w.begun[end+1:]...)
	}
}

// lastOfWhole returns the last byte of a line that does not end, without a character at its end that has only begun.
func lastOfWhole(line []byte) int {
	for begins := len(line) - 1; begins >= max(0, len(line)-utf8.UTFMax); begins-- {
		if utf8.RuneStart(line[begins]) {
			if begins > 0 && !utf8.FullRune(line[begins:]) {
				return begins - 1
			}
			break
		}
	}
	return len(line) - 1
}

// validText returns a text as the world takes it, which takes nothing but UTF-8 and ends the call otherwise: with U+FFFD in place of what is none.
func validText(text string) string { return strings.ToValidUTF8(text, "\ufffd") }

// flush ends a line that was begun.
func (w *lineWriter) flush() {
	if len(w.begun) > 0 {
		w.log(leveled(validText(string(w.begun))))
		w.begun = w.begun[:0]
	}
}
