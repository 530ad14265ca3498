package weir

import (
	"iter"
	"slices"
)

// A MapState is a map for each key: a field with a tag that names it, like `weir:"by-country"`. It stays with the host; an entry that was read once is kept
// for the call. A call that cannot be answered, because the input has no key or the bytes are no K or V, fails the record.
type MapState[K, V any] struct {
	// Merge makes one value of those of an entry that two windows have which become one, the earlier one's first. Sessions need it. It is set in the value
	// that [Export] is given, and must depend on nothing but the two values.
	Merge func(earlier, later V) V

	place
	entryCodec[K, V]
	// slots has for each key of the batch its map's place among maps, and one more; 0 where nothing is known of it.
	slots  []uint32
	maps   []keyedOverlay
	update mapUpdate
}

// keyedOverlay is the map of one key.
type keyedOverlay struct {
	key uint32
	overlay
}

// Get returns the value of an entry, if there is one.
func (s *MapState[K, V]) Get(key K) (value V, ok bool) {
	data, ok := s.find(key)
	if !ok {
		return value, false
	}
	return s.decodeValue(&s.place, data), true
}

// Contains says whether there is such an entry.
func (s *MapState[K, V]) Contains(key K) bool {
	_, ok := s.find(key)
	return ok
}

// Put sets the value of an entry.
func (s *MapState[K, V]) Put(key K, value V) {
	of := s.shown()
	of.put(s.encodeKey(&s.place, key), s.encodeValue(&s.place, value))
}

// Remove removes an entry, if there is one.
func (s *MapState[K, V]) Remove(key K) { s.shown().remove(s.encodeKey(&s.place, key)) }

// Clear removes all entries.
func (s *MapState[K, V]) Clear() { s.shown().clear() }

// All goes through the entries, in the byte order of their encoded keys. It shows the map as it was when it began.
func (s *MapState[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		s.shown().scan(s.source(), func(key, value []byte) bool {
			s.noteRead()
			return yield(s.decodeKey(&s.place, key), s.decodeValue(&s.place, value))
		})
	}
}

// IsEmpty says whether the map has no entry.
func (s *MapState[K, V]) IsEmpty() bool {
	isEmpty := true
	s.shown().scan(s.source(), func(_, _ []byte) bool {
		isEmpty = false
		return false
	})
	return isEmpty
}

func (s *MapState[K, V]) source() mapSource { return mapSource{state: s.number, key: s.key()} }

func (s *MapState[K, V]) find(key K) ([]byte, bool) {
	value, ok := s.shown().get(s.encodeKey(&s.place, key), s.source())
	if ok {
		s.noteRead()
	}
	return value, ok
}

// shown returns the map of the shown key.
func (s *MapState[K, V]) shown() *overlay {
	key := s.key()
	if s.slots[key] == 0 {
		s.maps = append(s.maps, keyedOverlay{key: key})
		s.slots[key] = uint32(len(s.maps))
	}
	return &s.maps[s.slots[key]-1].overlay
}

func (s *MapState[K, V]) describe() (stateShape, error) {
	schema, err := s.build()
	return stateShape{kindMap, schema, s.Merge != nil}, err
}

func (s *MapState[K, V]) begin(*keyedColumn) {
	s.place.begin()
	clear(s.maps)
	s.maps = s.maps[:0]
	s.slots = resized(s.slots, s.now.keys)
	s.forget()
}

func (s *MapState[K, V]) finish(e *effects) *stateFault {
	s.finishReads(nil, e)
	u := &s.update
	u.state, u.cleared = s.number, u.cleared[:0]
	u.removed.reset()
	u.put.reset()
	u.values.reset()
	for i := range s.maps {
		s.maps[i].addTo(u)
	}
	if len(u.cleared)+len(u.removed.keys)+len(u.put.keys) > 0 {
		e.maps = append(e.maps, u)
	}
	return nil
}

func (o *keyedOverlay) addTo(u *mapUpdate) {
	if o.isCleared {
		u.cleared = append(u.cleared, o.key)
	}
	for _, entry := range o.ordered() {
		switch {
		case entry.state == entryPut:
			u.put.push(o.key, []byte(entry.key))
			u.values.push(entry.value)
		case entry.state == entryRemoved && !o.isCleared:
			u.removed.push(o.key, []byte(entry.key))
		}
	}
}

func (s *MapState[K, V]) merge(earlier, later, both *column) error {
	return mergeColumns(&s.valueCodec, s.Merge, earlier, later, both)
}

// entryCodec writes and reads the entries of a map.
type entryCodec[K, V any] struct {
	keyCodec   codec[K]
	valueCodec codec[V]
	// keyAt and valueAt are what is being written or read: the codecs' calls would make the caller's own escape.
	keyAt   K
	valueAt V
	encoded []byte
}

// build builds the codecs and returns the description of both.
func (c *entryCodec[K, V]) build() (schema string, err error) {
	if c.keyCodec, err = codecOf[K](); err != nil {
		return "", err
	}
	c.valueCodec, err = codecOf[V]()
	return mapSchema(c.keyCodec.schema, c.valueCodec.schema), err
}

// forget lets go of what the call before had.
func (c *entryCodec[K, V]) forget() {
	var key K
	var value V
	c.keyAt, c.valueAt = key, value
}

// encodeKey returns an encoded key, which the next one overwrites.
func (c *entryCodec[K, V]) encodeKey(of *place, key K) (encoded []byte) {
	var err error
	c.keyAt = key
	if c.encoded, err = c.keyCodec.append(c.encoded[:0], &c.keyAt); err != nil {
		of.failed("encode a key of", err)
	}
	return c.encoded
}

// encodeValue returns an encoded value, which is the caller's.
func (c *entryCodec[K, V]) encodeValue(of *place, value V) []byte {
	c.valueAt = value
	encoded, err := c.valueCodec.append(nil, &c.valueAt)
	if err != nil {
		of.failed("encode a value of", err)
	}
	return slices.Clip(encoded)
}

func (c *entryCodec[K, V]) decodeKey(of *place, data []byte) K {
	if err := c.keyCodec.decode(data, &c.keyAt); err != nil {
		of.failed("decode an entry of", err)
	}
	return c.keyAt
}

func (c *entryCodec[K, V]) decodeValue(of *place, data []byte) V {
	if err := c.valueCodec.decode(data, &c.valueAt); err != nil {
		of.failed("decode an entry of", err)
	}
	return c.valueAt
}
