//go:build !wasip1

package weir

// Natively there is no host but the one of a test.

func hostListLength(state, key uint32) uint64 { return native.listLength(state, key) }

func hostListRead(state, key uint32, start uint64, maxBytes uint32) column {
	return native.listRead(state, key, start, maxBytes)
}

func hostMapGet(state, key uint32, entry []byte) ([]byte, bool) {
	return native.get(state, key, entry)
}

func hostBroadcastGet(state uint32, entry []byte) ([]byte, bool) {
	return native.get(state, noKey, entry)
}

func hostMapScan(state, key uint32, start []byte, hasStart bool, maxBytes uint32) mapPage {
	return native.scan(state, key, start, hasStart, maxBytes)
}

func hostBroadcastScan(state uint32, start []byte, hasStart bool, maxBytes uint32) mapPage {
	return native.scan(state, noKey, start, hasStart, maxBytes)
}

// Export makes an operator what the built component is. Natively, where packages are tested, it does nothing; see the documentation of wasip1.
func Export(name, version string, prototype Operator) {}
