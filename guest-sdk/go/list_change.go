package weir

// listChange is what a call did to one key's list, in the order in which the host applies it: cleared, popped, truncated, appended to.
//
// Whatever order the operator did it in, it comes to that: what is popped beyond the stored items comes off the front of those that the call appended,
// and what is truncated to fewer than the stored ones takes all of these.
type listChange struct {
	key       uint32
	isCleared bool
	// popped is how many stored items are gone at the front.
	popped uint64
	// kept is how many of those behind them are left, where isCut says so.
	kept  uint64
	isCut bool
	// appended has the items that the call appended, of which those before gone are gone again.
	appended column
	gone     int
}

// listView is one key's list, seen through the call's change of it.
type listView struct {
	// first is the position of the first stored item that is still there.
	first uint64
	// stored is how many stored items are still there.
	stored uint64
	// appended has the items behind them, from gone on.
	appended column
	gone     int
}

func (v *listView) len() uint64 { return v.stored + uint64(len(v.appended.ends)-v.gone) }

// reset makes it the change of a key that nothing was done to.
func (c *listChange) reset(key uint32) {
	// There may be many of them.
	c.appended.resetTo(4 << 10)
	*c = listChange{key: key, appended: c.appended}
}

func (c *listChange) clear() {
	// The items may be shown to somebody who goes through them: they are left alone.
	*c = listChange{key: c.key, isCleared: true}
}

// view returns the list; stored is how many items the host has.
func (c *listChange) view(stored func() uint64) listView {
	v := listView{appended: c.appended, gone: c.gone}
	if c.isCleared {
		return v
	}
	v.first = c.popped
	if all := stored(); all > c.popped {
		v.stored = all - c.popped
	}
	if c.isCut {
		v.stored = min(v.stored, c.kept)
	}
	return v
}

// popFront removes the first items; stored is how many stored ones are still there.
func (c *listChange) popFront(count, stored uint64) {
	ofStored := min(count, stored)
	c.popped += ofStored
	if c.isCut {
		c.kept -= ofStored
	}
	c.gone += int(min(count-ofStored, uint64(len(c.appended.ends)-c.gone)))
}

// truncate removes the items behind the first ones; stored is how many stored ones are still there.
func (c *listChange) truncate(length, stored uint64) {
	if length < stored {
		c.kept, c.isCut = length, true
	}
	ofAppended := uint64(0)
	if length > stored {
		ofAppended = length - stored
	}
	if ofAppended >= uint64(len(c.appended.ends)-c.gone) {
		return
	}
	items, bytes := c.gone+int(ofAppended), uint32(0)
	if items > 0 {
		bytes = c.appended.ends[items-1]
	}
	// What is appended from here on does not overwrite what somebody may be going through.
	c.appended = column{c.appended.data[:bytes:bytes], c.appended.ends[:items:items]}
}

func (c *listChange) addTo(u *listUpdate) {
	if c.isCleared {
		u.cleared = append(u.cleared, c.key)
	}
	if c.popped > 0 {
		u.popped.push(c.key, c.popped)
	}
	if c.isCut {
		u.truncated.push(c.key, c.kept)
	}
	for i := c.gone; i < len(c.appended.ends); i++ {
		u.append.push(c.key, c.appended.item(i))
	}
}
