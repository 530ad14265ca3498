package weir

import (
	"slices"
	"strings"
)

// overlay is one map as a call sees it: what the host stores, read entry by entry or page by page, with what the call wrote laid over it. An entry that
// was read once is kept for the call.
type overlay struct {
	isCleared bool
	entries   []overlayEntry
	// index says where an entry stands, once there are too many to look at each.
	index map[string]int
}

// overlayEntry is what a call knows of an entry.
type overlayEntry struct {
	key   string
	value []byte
	state entryState
}

type entryState uint8

const (
	// entryMissing was read: the host has none.
	entryMissing entryState = iota
	entryRead
	entryPut
	entryRemoved
)

func (e *overlayEntry) isThere() bool { return e.state == entryRead || e.state == entryPut }

// manyEntries is when an index costs less than looking at each entry.
const manyEntries = 8

// mapSource is where the host stores a map: with a key of the batch, or with the subtask.
type mapSource struct {
	state, key  uint32
	isBroadcast bool
}

func (s mapSource) get(entry []byte) (value []byte, ok bool) {
	if s.isBroadcast {
		return hostBroadcastGet(s.state, entry)
	}
	return hostMapGet(s.state, s.key, entry)
}

func (s mapSource) scan(start []byte, hasStart bool) mapPage {
	if s.isBroadcast {
		return hostBroadcastScan(s.state, start, hasStart, pageBytes)
	}
	return hostMapScan(s.state, s.key, start, hasStart, pageBytes)
}

// mapPage has some entries of a map, and where to go on. It is the caller's.
type mapPage struct {
	entries, values column
	next            []byte
	hasNext         bool
}

func (o *overlay) find(key []byte) int {
	if o.index != nil {
		if at, ok := o.index[string(key)]; ok {
			return at
		}
		return -1
	}
	for i := range o.entries {
		if o.entries[i].key == string(key) {
			return i
		}
	}
	return -1
}

// entry returns what is known of an entry, which is made where nothing is.
func (o *overlay) entry(key []byte) (entry *overlayEntry, isNew bool) {
	at := o.find(key)
	if at >= 0 {
		return &o.entries[at], false
	}
	o.entries = append(o.entries, overlayEntry{key: string(key)})
	at = len(o.entries) - 1
	if o.index != nil {
		o.index[o.entries[at].key] = at
	} else if len(o.entries) > manyEntries {
		o.index = make(map[string]int, 4*manyEntries)
		for i := range o.entries {
			o.index[o.entries[i].key] = i
		}
	}
	return &o.entries[at], true
}

// get returns the encoded value of an entry, if there is one.
func (o *overlay) get(key []byte, from mapSource) ([]byte, bool) {
	entry, isNew := o.entry(key)
	if isNew && !o.isCleared {
		if value, ok := from.get(key); ok {
			entry.value, entry.state = value, entryRead
		}
	}
	return entry.value, entry.isThere()
}

// put takes the value over.
func (o *overlay) put(key, value []byte) {
	entry, _ := o.entry(key)
	entry.value, entry.state = value, entryPut
}

func (o *overlay) remove(key []byte) {
	entry, _ := o.entry(key)
	entry.value, entry.state = nil, entryRemoved
}

func (o *overlay) clear() { *o = overlay{isCleared: true} }

// ordered returns the entries in byte order, as they are now.
func (o *overlay) ordered() []overlayEntry {
	entries := slices.Clone(o.entries)
	slices.SortFunc(entries, func(one, other overlayEntry) int { return strings.Compare(one.key, other.key) })
	return entries
}

// scan goes through all entries in byte order, as they were when it began.
func (o *overlay) scan(from mapSource, yield func(key, value []byte) bool) {
	own := o.ordered()
	// showOwn shows those of the call's own before a stored one, and says whether to go on.
	showOwn := func(before []byte, isLast bool) bool {
		for len(own) > 0 && (isLast || own[0].key < string(before)) {
			entry := own[0]
			own = own[1:]
			if entry.isThere() && !yield([]byte(entry.key), entry.value) {
				return false
			}
		}
		return true
	}
	page := mapPage{hasNext: !o.isCleared}
	for isFirst := true; page.hasNext; isFirst = false {
		page = from.scan(page.next, !isFirst)
		for i := range page.entries.ends {
			key := page.entries.item(i)
			if !showOwn(key, false) {
				return
			}
			value, isThere := page.values.item(i), true
			if len(own) > 0 && own[0].key == string(key) {
				value, isThere = own[0].value, own[0].isThere()
				own = own[1:]
			}
			if isThere && !yield(key, value) {
				return
			}
		}
	}
	showOwn(nil, true)
}
