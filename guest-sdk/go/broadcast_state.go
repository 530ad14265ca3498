package weir

import (
	"iter"
)

// A BroadcastState is one map for all keys, of which each subtask keeps a copy: a field with a tag that names it, like `weir:"rules"`. Any record may read it; it
// is changed by the records of inputs whose tag says by=broadcast. So that the copies stay alike, a change must depend on these records and this
// state alone.
type BroadcastState[K, V any] struct {
	place
	entryCodec[K, V]
	overlay overlay
	update  broadcastUpdate
}

// Get returns the value of an entry, if there is one.
func (s *BroadcastState[K, V]) Get(key K) (value V, ok bool) {
	data, ok := s.overlay.get(s.encodeKey(&s.place, key), s.source())
	if !ok {
		return value, false
	}
	return s.decodeValue(&s.place, data), true
}

// Contains says whether there is such an entry.
func (s *BroadcastState[K, V]) Contains(key K) bool {
	_, ok := s.overlay.get(s.encodeKey(&s.place, key), s.source())
	return ok
}

// All goes through the entries, in the byte order of their encoded keys. It shows the map as it was when it began.
func (s *BroadcastState[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		s.overlay.scan(s.source(), func(key, value []byte) bool {
			return yield(s.decodeKey(&s.place, key), s.decodeValue(&s.place, value))
		})
	}
}

// IsEmpty says whether the map has no entry.
func (s *BroadcastState[K, V]) IsEmpty() bool {
	for range s.All() {
		return false
	}
	return true
}

// Put sets the value of an entry. It fails the record where that did not come from a broadcast input.
func (s *BroadcastState[K, V]) Put(key K, value V) {
	s.checkWritable()
	s.overlay.put(s.encodeKey(&s.place, key), s.encodeValue(&s.place, value))
}

// Remove removes an entry, if there is one. It fails the record where that did not come from a broadcast input.
func (s *BroadcastState[K, V]) Remove(key K) {
	s.checkWritable()
	s.overlay.remove(s.encodeKey(&s.place, key))
}

// Clear removes all entries. It fails the record where that did not come from a broadcast input.
func (s *BroadcastState[K, V]) Clear() {
	s.checkWritable()
	s.overlay.clear()
}

func (s *BroadcastState[K, V]) checkWritable() {
	if !s.now.isBroadcast {
		fail("state `%s` is changed by records of a broadcast input only: say `by=broadcast` in the input's tag and give it `by = \"broadcast\"` in the job file", s.name)
	}
}

func (s *BroadcastState[K, V]) source() mapSource {
	return mapSource{state: s.number, isBroadcast: true}
}

func (s *BroadcastState[K, V]) describe() (stateShape, error) {
	schema, err := s.build()
	return stateShape{kind: kindBroadcast, schema: schema}, err
}

func (s *BroadcastState[K, V]) begin(*keyedColumn) {
	s.place.begin()
	s.overlay = overlay{}
	s.forget()
}

func (s *BroadcastState[K, V]) finish(e *effects) *stateFault {
	u := &s.update
	u.state, u.cleared = s.number, s.overlay.isCleared
	u.removed.reset()
	u.put.reset()
	u.values.reset()
	for _, entry := range s.overlay.ordered() {
		switch {
		case entry.state == entryPut:
			u.put.push([]byte(entry.key))
			u.values.push(entry.value)
		case entry.state == entryRemoved && !u.cleared:
			u.removed.push([]byte(entry.key))
		}
	}
	if u.cleared || len(u.removed.ends)+len(u.put.ends) > 0 {
		e.broadcasts = append(e.broadcasts, u)
	}
	return nil
}

// merge is never asked for: it belongs to no window.
func (s *BroadcastState[K, V]) merge(_, _, _ *column) error { return nil }
