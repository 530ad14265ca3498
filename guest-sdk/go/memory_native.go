//go:build !wasip1

package weir

// collectWhereGrown does nothing: natively the collector has threads of its own.
func collectWhereGrown() {}
