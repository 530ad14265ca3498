package weir

// What a made record has from its cause, once another record of the same output has its own.

func (b *outputBuffer) inheritAll() {
	b.inheritKey()
	b.inheritTime()
	b.inheritHeaders()
}

func (b *outputBuffer) inheritKey() {
	if b.hasKeys {
		b.pushKey(b.now.batch.key(b.now.record))
	}
}

func (b *outputBuffer) inheritTime() {
	if b.hasTimes {
		b.pushTimeOf(b.now.record)
	}
}

func (b *outputBuffer) inheritHeaders() {
	if b.hasHeaders {
		b.pushHeadersOf(b.now.record)
	}
}

// beginKeys gives every record so far the key of its cause: from here on each has one of its own.
func (b *outputBuffer) beginKeys() {
	if b.hasKeys {
		return
	}
	b.hasKeys, b.isExplicit = true, true
	for _, cause := range b.cause {
		b.pushKey(b.now.batch.key(cause))
	}
}

func (b *outputBuffer) pushKey(key []byte, has bool) {
	if !has {
		b.keyless = append(b.keyless, uint32(len(b.keys.ends)))
	}
	b.keys.push(key)
}

// beginTimes gives every record so far the time of its cause: from here on each has one of its own.
func (b *outputBuffer) beginTimes() {
	if b.hasTimes {
		return
	}
	b.hasTimes, b.isExplicit = true, true
	for _, cause := range b.cause {
		b.pushTimeOf(cause)
	}
}

// pushTimeOf gives a record the time of its cause. That of a window without bounds is known to the host alone.
func (b *outputBuffer) pushTimeOf(cause uint32) {
	of := b.now.batch
	time := of.timestamps[cause]
	if time == noTime && len(of.values.ends) == 0 {
		fail("of windows without bounds all that an output is sent has a time of its own, or nothing has")
	}
	b.timestamps = append(b.timestamps, time)
}

// beginHeaders gives every record so far the headers of its cause: from here on each has its own.
func (b *outputBuffer) beginHeaders() {
	if b.hasHeaders {
		return
	}
	b.hasHeaders, b.isExplicit = true, true
	for _, cause := range b.cause {
		b.pushHeadersOf(cause)
	}
}

func (b *outputBuffer) pushHeadersOf(cause uint32) {
	of := &b.now.batch.headers
	from, to := b.now.batch.headerRange(cause)
	for i := int(from); i < int(to); i++ {
		b.headers.names.push(of.names.item(i))
		b.headers.values.push(of.values.item(i))
	}
	b.headers.ends = append(b.headers.ends, uint32(len(b.headers.names.ends)))
}
