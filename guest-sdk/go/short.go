package weir

import (
	"math/bits"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// What is appended for every record: short texts, in few steps.
//
// In Wasm a copy whose length is known only when it runs is a call out of the guest, and Go makes a jump through a table of every jump that is taken, those of
// loops and branches alike. So short copies are words that overlap, and what is there as a rule is what needs no jump.

// shortMax is up to how many bytes a copy in words costs less than a call out of the guest.
const shortMax = 64

// appendBytes appends to what is written record by record.
func appendBytes(to, from []byte) []byte {
	at, length := len(to), len(from)
	if length < 8 || length > shortMax || length > cap(to)-at {
		return appendOdd(to, from)
	}
	to = to[: at+length : cap(to)]
	copyShort(unsafe.Pointer(&to[at]), unsafe.Pointer(&from[0]), length)
	return to
}

// appendOdd appends what is very short, or long, or does not fit.
func appendOdd(to, from []byte) []byte {
	at, length := len(to), len(from)
	if length == 0 || length >= 8 || length > cap(to)-at {
		return append(to, from...)
	}
	to = to[: at+length : cap(to)]
	copyTiny(unsafe.Pointer(&to[at]), unsafe.Pointer(&from[0]), length)
	return to
}

// copyShort copies eight to [shortMax] bytes.
func copyShort(to, from unsafe.Pointer, length int) {
	last := length - 8
	copyWord(to, from, 0)
	if length > 16 {
		copyWord(to, from, 8)
		if length > 32 {
			copyWord(to, from, 16)
			copyWord(to, from, 24)
			copyWord(to, from, last-24)
			copyWord(to, from, last-16)
		}
		copyWord(to, from, last-8)
	}
	copyWord(to, from, last)
}

func copyWord(to, from unsafe.Pointer, at int) {
	*(*uint64)(unsafe.Add(to, at)) = *(*uint64)(unsafe.Add(from, at))
}

// copyTiny copies one to seven bytes.
func copyTiny(to, from unsafe.Pointer, length int) {
	switch {
	case length >= 4:
		first, last := *(*uint32)(from), *(*uint32)(unsafe.Add(from, length-4))
		*(*uint32)(to), *(*uint32)(unsafe.Add(to, length-4)) = first, last
	case length >= 2:
		first, last := *(*uint16)(from), *(*uint16)(unsafe.Add(from, length-2))
		*(*uint16)(to), *(*uint16)(unsafe.Add(to, length-2)) = first, last
	default:
		*(*byte)(to) = *(*byte)(from)
	}
}

// IsUTF8 says whether a text is UTF-8, as [utf8.Valid] does. Short ones in ASCII take it two steps.
func IsUTF8(text []byte) bool {
	length := len(text)
	if length < 4 || length > 16 {
		return utf8.Valid(text)
	}
	first := unsafe.Pointer(&text[0])
	var word uint64
	if length < 8 {
		word = uint64(*(*uint32)(first) | *(*uint32)(unsafe.Add(first, length-4)))
	} else {
		word = *(*uint64)(first) | *(*uint64)(unsafe.Add(first, length-8))
	}
	return word&0x8080_8080_8080_8080 == 0 || utf8.Valid(text)
}

// AppendInt appends a whole number in decimal, as [strconv.AppendInt] does, which takes some times as long here.
func AppendInt(b []byte, number int64) []byte {
	if number < 0 {
		return AppendUint(append(b, '-'), -uint64(number))
	}
	return AppendUint(b, uint64(number))
}

// AppendUint appends a whole number in decimal, as [strconv.AppendUint] does, which takes some times as long here.
//
// A number below 100,000,000 is halved into fours, twos and ones, which are worked on side by side, as eight digits of text that lie in memory as they are
// written: a division by 100 is a multiplication by 10486 and a shift by 20, one by 10 a multiplication by 103 and a shift by 10.
func AppendUint(b []byte, number uint64) []byte {
	at := len(b)
	if number >= 1e8 || cap(b)-at < 8 {
		return strconv.AppendUint(b, number, 10)
	}
	thousands := uint64(uint32(number) / 10_000)
	fours := thousands | (number-10_000*thousands)<<32
	hundreds := fours * 10486 >> 20 & 0x7f_0000_007f
	twos := hundreds | (fours-100*hundreds)<<16
	tens := twos * 103 >> 10 & 0x000f_000f_000f_000f
	ones := tens | (twos-10*tens)<<8
	// Of the leading zeros one stays where all are.
	zeros := bits.TrailingZeros64(ones|1<<56) / 8
	b = b[:at+8]
	*(*uint64)(unsafe.Pointer(&b[at])) = (ones + 0x3030_3030_3030_3030) >> (8 * zeros)
	return b[:at+8-zeros]
}
