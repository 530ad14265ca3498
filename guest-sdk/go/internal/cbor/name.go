package cbor

import (
	"bytes"
	"encoding/binary"
)

// encodedName is the encoded name of a field or a case. Of a short one, which most are, the word is what is read and written: that is no call of a function
// that copies or compares.
type encodedName struct {
	bytes []byte
	// word has the bytes, the first in its lowest, where mask says which of it they are; mask is 0 where they are too many.
	word, mask uint64
}

func encodedNameOf(name string) encodedName {
	n := encodedName{bytes: append(appendHead(nil, text, uint64(len(name))), name...)}
	if len(n.bytes) <= 8 {
		var word [8]byte
		copy(word[:], n.bytes)
		n.word, n.mask = binary.LittleEndian.Uint64(word[:]), ^uint64(0)>>(64-8*len(n.bytes))
	}
	return n
}

// append appends the encoded name.
func (n *encodedName) append(b []byte) []byte {
	at := len(b)
	if n.mask == 0 || cap(b)-at < 8 {
		return append(b, n.bytes...)
	}
	putWord(b[at:at+8], n.word)
	return b[:at+len(n.bytes)]
}

// read reads this name, and says false where another item comes.
func (n *encodedName) read(r *reader) bool {
	length := len(n.bytes)
	if n.mask != 0 && r.left() >= 8 {
		if word(r.data[r.at:])&n.mask != n.word {
			return false
		}
	} else if !bytes.HasPrefix(r.data[r.at:], n.bytes) {
		return false
	}
	r.at += length
	return true
}
