//go:build wasip1

package weir

// The layouts in which the canonical ABI passes the world's types: lists and strings are a pointer and a length of 32 bits each.

// abiList is a list or a string.
type abiList struct {
	at, length uint32
}

type abiColumn struct {
	data, ends abiList
}

type abiKeyedColumn struct {
	keys  abiList
	items abiColumn
}

type abiHeaders struct {
	ends          abiList
	names, values abiColumn
}

type abiWindows struct {
	starts, ends abiList
}

type abiContext struct {
	input                     uint32
	watermark, processingTime int64
}

// abiProcess has the parameters of process, which are too many to be passed one by one.
type abiProcess struct {
	context    abiContext
	keys       abiColumn
	keyOf      abiList
	keyless    abiList
	values     abiColumn
	valueless  abiList
	headers    abiHeaders
	timestamps abiList
	states     abiList
	isWindowed uint8
	windows    abiWindows
}

// abiOnWindows has the parameters of on-windows.
type abiOnWindows struct {
	context   abiContext
	keys      abiColumn
	windows   abiWindows
	reasons   abiList
	revisions abiList
	replaces  abiKeyedColumn
	states    abiList
}

type abiOutput struct {
	output     uint32
	passes     abiList
	cause      abiList
	values     abiColumn
	valueless  abiList
	keys       abiColumn
	keyless    abiList
	hasHeaders uint8
	headers    abiHeaders
	timestamps abiList
}

type abiValueUpdate struct {
	state   uint32
	cleared abiList
	set     abiKeyedColumn
}

type abiKeyCounts struct {
	keys, counts abiList
}

type abiListUpdate struct {
	state             uint32
	cleared           abiList
	popped, truncated abiKeyCounts
	append            abiKeyedColumn
}

type abiMapUpdate struct {
	state        uint32
	cleared      abiList
	removed, put abiKeyedColumn
	values       abiColumn
}

type abiBroadcastUpdate struct {
	state                uint32
	cleared              uint8
	removed, put, values abiColumn
}

type abiTouch struct {
	state uint32
	keys  abiList
}

type abiTimers struct {
	keys, times abiList
}

type abiTimerUpdate struct {
	timer        uint32
	set, deleted abiTimers
}

type abiMetric struct {
	name  abiList
	delta int64
}

type abiEffects struct {
	outputs, values, lists, maps, broadcasts, touched, timers, metrics abiList
}

// abiResult is a result of effects or a failure: of the latter what lies in the same place.
type abiResult struct {
	isError uint8
	effects abiEffects
}

type abiFailure struct {
	hasCause uint8
	cause    uint32
	message  abiList
}

// abiColumnResult is a result of a column or a text.
type abiColumnResult struct {
	isError uint8
	column  abiColumn
}

// abiOpenResult is a result of nothing or a text.
type abiOpenResult struct {
	isError uint8
	text    abiList
}

type abiOptionalText struct {
	is   uint8
	text abiList
}

type abiRecordSchema struct {
	id      abiList
	version uint32
}

type abiInput struct {
	name, accepts abiList
	partitioning  uint8
}

type abiOutputDecl struct {
	name      abiList
	hasSchema uint8
	schema    abiRecordSchema
}

type abiTTL struct {
	ms            uint64
	domain        uint8
	refreshOnRead uint8
}

type abiState struct {
	name    abiList
	kind    uint8
	schema  abiList
	version uint32
	hasTTL  uint8
	ttl     abiTTL
	merges  uint8
}

type abiTimer struct {
	name   abiList
	domain uint8
}

type abiDescriptor struct {
	name, version, inputs, outputs, states, timers abiList
	isWindowed                                     uint8
}

type abiListPage struct {
	items   abiColumn
	hasNext uint8
	next    uint64
}

type abiMapPage struct {
	entries, values abiColumn
	hasNext         uint8
	next            abiList
}
