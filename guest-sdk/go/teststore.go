package weir

import (
	"maps"
	"slices"
)

// testStore keeps state in memory, by the names of states so that a new instance finds it, and answers the reads of a call.
type testStore struct {
	states []*testState
	named  map[string]*testState
	timers map[testTimer]bool
	// keys are those of the call.
	keys []string
}

// testState is one state: of each key a value, a list or a map. Broadcast state is the map of the key "".
type testState struct {
	kind   stateKind
	values map[string][]byte
	lists  map[string][][]byte
	maps   map[string]map[string][]byte
}

type testTimer struct {
	timer uint32
	key   string
	time  int64
}

// of makes room for states that are declared.
func (s *testStore) of(declared []stateDecl) {
	if s.named == nil {
		s.named, s.timers = map[string]*testState{}, map[testTimer]bool{}
	}
	s.states = nil
	for _, state := range declared {
		if s.named[state.name] == nil {
			s.named[state.name] = &testState{state.kind, map[string][]byte{}, map[string][][]byte{}, map[string]map[string][]byte{}}
		}
		s.states = append(s.states, s.named[state.name])
	}
}

// begin returns the values that go with a call about these keys.
func (s *testStore) begin(keys *column) []keyedColumn {
	s.keys = nil
	for i := range keys.ends {
		s.keys = append(s.keys, string(keys.item(i)))
	}
	values := make([]keyedColumn, len(s.states))
	for i, state := range s.states {
		for index, key := range s.keys {
			if value, ok := state.values[key]; ok {
				values[i].push(uint32(index), value)
			}
		}
	}
	return values
}

func (s *testStore) list(state, key uint32) [][]byte { return s.states[state].lists[s.keys[key]] }

func (s *testStore) entries(state, key uint32) map[string][]byte {
	if key == noKey {
		return s.states[state].maps[""]
	}
	return s.states[state].maps[s.keys[key]]
}

func (s *testStore) listLength(state, key uint32) uint64 { return uint64(len(s.list(state, key))) }

func (s *testStore) listRead(state, key uint32, start uint64, maxBytes uint32) (page column) {
	for _, item := range s.list(state, key)[start:] {
		if len(page.ends) > 0 && len(page.data)+len(item) > int(maxBytes) {
			break
		}
		page.push(item)
	}
	return page
}

func (s *testStore) get(state, key uint32, entry []byte) (value []byte, ok bool) {
	value, ok = s.entries(state, key)[string(entry)]
	return slices.Clone(value), ok
}

func (s *testStore) scan(state, key uint32, start []byte, _ bool, maxBytes uint32) (page mapPage) {
	entries := s.entries(state, key)
	for _, entry := range slices.Sorted(maps.Keys(entries)) {
		if entry < string(start) {
			continue
		}
		if len(page.entries.ends) > 0 && len(page.values.data)+len(entries[entry]) > int(maxBytes) {
			page.next, page.hasNext = []byte(entry), true
			break
		}
		page.entries.push([]byte(entry))
		page.values.push(entries[entry])
	}
	return page
}

// apply applies what came of a call.
func (s *testStore) apply(e *effects) {
	for _, u := range e.values {
		checkNamedOnce(u.cleared, u.set.keys)
		state := s.states[u.state]
		for _, key := range u.cleared {
			delete(state.values, s.keys[key])
		}
		for i, key := range u.set.keys {
			state.values[s.keys[key]] = slices.Clone(u.set.items.item(i))
		}
	}
	for _, u := range e.lists {
		s.applyList(u)
	}
	for _, u := range e.maps {
		s.applyMap(u)
	}
	for _, u := range e.broadcasts {
		of := s.states[u.state]
		if u.cleared || of.maps[""] == nil {
			of.maps[""] = map[string][]byte{}
		}
		for i := range u.removed.ends {
			delete(of.maps[""], string(u.removed.item(i)))
		}
		for i := range u.put.ends {
			of.maps[""][string(u.put.item(i))] = slices.Clone(u.values.item(i))
		}
	}
	for _, u := range e.timers {
		for i, key := range u.deleted.keys {
			delete(s.timers, testTimer{u.timer, s.keys[key], u.deleted.times[i]})
		}
		for i, key := range u.set.keys {
			s.timers[testTimer{u.timer, s.keys[key], u.set.times[i]}] = true
		}
	}
}

// checkNamedOnce holds effects to naming a key once, as the host does.
func checkNamedOnce(keys ...[]uint32) {
	seen := map[uint32]bool{}
	for _, key := range slices.Concat(keys...) {
		if seen[key] {
			panic("effects name a key twice")
		}
		seen[key] = true
	}
}

func (s *testStore) applyList(u *listUpdate) {
	lists := s.states[u.state].lists
	for _, key := range u.cleared {
		delete(lists, s.keys[key])
	}
	for i, key := range u.popped.keys {
		list := lists[s.keys[key]]
		lists[s.keys[key]] = list[min(u.popped.counts[i], uint64(len(list))):]
	}
	for i, key := range u.truncated.keys {
		list := lists[s.keys[key]]
		lists[s.keys[key]] = list[:min(u.truncated.counts[i], uint64(len(list)))]
	}
	for i, key := range u.append.keys {
		lists[s.keys[key]] = append(slices.Clip(lists[s.keys[key]]), slices.Clone(u.append.items.item(i)))
	}
}

func (s *testStore) applyMap(u *mapUpdate) {
	all := s.states[u.state].maps
	for _, key := range u.cleared {
		delete(all, s.keys[key])
	}
	for i, key := range u.removed.keys {
		delete(all[s.keys[key]], string(u.removed.items.item(i)))
	}
	for i, key := range u.put.keys {
		if all[s.keys[key]] == nil {
			all[s.keys[key]] = map[string][]byte{}
		}
		all[s.keys[key]][string(u.put.items.item(i))] = slices.Clone(u.values.item(i))
	}
}

// host is what the imports of the world are natively.
type host interface {
	listLength(state, key uint32) uint64
	listRead(state, key uint32, start uint64, maxBytes uint32) column
	// get reads an entry of a map or, with the key [noKey], of broadcast state.
	get(state, key uint32, entry []byte) (value []byte, ok bool)
	scan(state, key uint32, start []byte, hasStart bool, maxBytes uint32) mapPage
}

// native is the host of the test that calls. In a plugin there is none, and the imports are what they are.
var native host
