package weir

import (
	"unicode/utf8"
	"unsafe"
)

// AppendJSONString appends a text as JSON, with its quotes. It escapes what JSON needs and nothing else, as operators in other languages do, where
// encoding/json escapes more; what is no UTF-8 becomes U+FFFD.
func AppendJSONString(b []byte, text string) []byte {
	return appendJSON(b, unsafe.Slice(unsafe.StringData(text), len(text)))
}

// AppendJSONBytes appends a text as [AppendJSONString] does.
func AppendJSONBytes(b []byte, text []byte) []byte { return appendJSON(b, text) }

func appendJSON(b []byte, text []byte) []byte {
	at, length := len(b), len(text)
	if length < 4 || length > 16 || cap(b)-at < length+2 || !isPlainShort(text) {
		return appendAnyJSON(b, text)
	}
	b = b[: at+length+2 : cap(b)]
	b[at], b[at+1+length] = '"', '"'
	to, from := unsafe.Pointer(&b[at+1]), unsafe.Pointer(&text[0])
	if length < 8 {
		copyTiny(to, from, length)
		return b
	}
	copyWord(to, from, 0)
	copyWord(to, from, length-8)
	return b
}

// isPlainShort says whether all of four to sixteen bytes stand for themselves.
func isPlainShort(text []byte) bool {
	length := len(text)
	if length < 8 {
		return isPlain(shortWord(text))
	}
	first := unsafe.Pointer(&text[0])
	return isPlain(*(*uint64)(first)) && isPlain(*(*uint64)(unsafe.Add(first, length-8)))
}

// appendAnyJSON appends a text of any length and content.
func appendAnyJSON(b []byte, text []byte) []byte {
	b = append(b, '"')
	plain := 0
	for i := plainUpTo(text, 0); i < len(text); i = plainUpTo(text, i) {
		c, length := text[i], 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, length = utf8.DecodeRune(text[i:]); r != utf8.RuneError || length > 1 {
				i += length
				continue
			}
		}
		b = appendEscaped(append(b, text[plain:i]...), c)
		i += length
		plain = i
	}
	return append(appendBytes(b, text[plain:]), '"')
}

// plainUpTo returns where the characters that stand for themselves end, from a place on. Characters outside ASCII are looked at one by one.
func plainUpTo(text []byte, at int) int {
	for ; at+8 <= len(text); at += 8 {
		if !isPlain(*(*uint64)(unsafe.Pointer(&text[at]))) {
			break
		}
	}
	if left := len(text) - at; left > 0 && left < 8 && isPlain(shortWord(text[at:])) {
		return len(text)
	}
	for at < len(text) && text[at] >= ' ' && text[at] != '"' && text[at] != '\\' && text[at] < utf8.RuneSelf {
		at++
	}
	return at
}

// isPlain says whether all eight bytes of a word stand for themselves.
func isPlain(word uint64) bool {
	const low, high = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080
	// The high bit of each byte that is below a space, a quote, a backslash or outside ASCII; of the bytes behind such a one it may say too much.
	quote, backslash := word^low*'"', word^low*'\\'
	return (word|(word-low*' ')|(quote-low)|(backslash-low))&high == 0
}

// shortWord returns one to seven bytes as a word of eight, some of them more than once.
func shortWord(text []byte) uint64 {
	first, length := unsafe.Pointer(unsafe.SliceData(text)), len(text)
	switch {
	case length >= 4:
		from := uint64(*(*uint32)(first))
		return from | uint64(*(*uint32)(unsafe.Add(first, length-4)))<<32
	case length >= 2:
		from := uint64(*(*uint16)(first)) | uint64(*(*uint16)(unsafe.Add(first, length-2)))<<16
		return from | from<<32
	}
	return uint64(text[0]) * 0x0101_0101_0101_0101
}

// appendEscaped appends a character that does not stand for itself.
func appendEscaped(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	if c >= utf8.RuneSelf {
		return append(b, "\ufffd"...)
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
