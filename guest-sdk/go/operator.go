package weir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// An Operator is a function from records and the state of their keys to records and new state: a pointer to a struct whose fields are its inputs, outputs,
// states and timers, and what [Opener.Open] keeps.
//
// One value of it serves one subtask. The host may replace it by a new one between any two batches, so fields of the author's own are only a cache: what
// must survive is kept in states. The same records and state must give the same results however the records are cut into batches; there is no clock and
// no chance but what [Context] and [Setup] hand in.
type Operator interface {
	// Process works one record off. After an error or a panic the whole batch had no effect and the record stands named: the job fails or quarantines it, as
	// its file says.
	//
	// In a windowed operator, one that is a [WindowHandler], it is called for each window that the record is in. It changes state there and does nothing else.
	Process(record Record, ctx *Context) error
}

// An Opener is an [Operator] that is opened before its first record.
type Opener interface {
	// Open reads the config and makes ready what the operator needs. An error fails the job with its text.
	Open(setup *Setup) error
}

// A TimerHandler is an [Operator] with timers.
type TimerHandler interface {
	// OnTimer works one timer off that is due. Timers of a key come in the order of their times, and of one time only in a call. It is gone when this is
	// called, and may be set anew. After an error the timer stands named: the job fails, or removes and quarantines it, as its file says.
	OnTimer(timer FiredTimer, ctx *Context) error
}

// A WindowHandler is an [Operator] that the job file gives windows, [operator.ID] window. It keeps its state by key and window. It has no timers, and no state a
// time to live.
type WindowHandler interface {
	// OnWindow works one window of a key off that fires: it reads the state and emits. A window may fire more than once. After an error the window stands
	// named: the job fails, or quarantines it and drops its state, as its file says.
	OnWindow(window FiredWindow, ctx *Context) error
}

// A Migrator is an [Operator] that knows a way from older versions of its states.
type Migrator interface {
	// Migrate returns the bytes of one value in the version that the state's tag says: of a list it is given an item, of a map or of broadcast state the value of
	// an entry. [Recode] does it. All of a state is migrated before the first record, by an operator that was not opened and may call nothing of the host.
	Migrate(old OldValue) ([]byte, error)
}

// An Input is one of the operator's inputs: a field with a tag that names it, like `weir:"flights,by=key"`. They stand in the order in which the job file
// lists them, or by the names that it gives in to. An operator without such fields has one, called in. All inputs with by = "key" share the state of a key.
//
// by=key says that the input is of use in that way only, and by=broadcast that every subtask is given its records, which may change [BroadcastState]: a job
// that feeds it otherwise is refused. accepts=ID/VERSION names record schemas that it takes, with spaces between them.
type Input struct {
	number uint32
}

// A Setup is what an operator is told when it is opened.
type Setup struct {
	// Schemas has for each input what its source knows of the records (csv: the header row), nil where no source feeds it directly.
	Schemas []*string
	// Subtask is the index of this part of the operator, of so many.
	Subtask, Parallelism uint32
	// Seed is fixed for the operator and the subtask: chance that a replay repeats.
	Seed uint64

	config string
	isRead bool
}

// Schema returns the schema of an input by its number, if there is one.
func (s *Setup) Schema(input int) (schema string, ok bool) {
	if input >= len(s.Schemas) || s.Schemas[input] == nil {
		return "", false
	}
	return *s.Schemas[input], true
}

// Config reads the job file's config into what into points at, as [json.Unmarshal] does. What is not said there stays as it is. A setting that the type does
// not have is an error.
func (s *Setup) Config(into any) error {
	s.isRead = true
	config := strings.TrimSpace(s.config)
	if config == "" || config == "null" {
		config = "{}"
	}
	decoder := json.NewDecoder(strings.NewReader(config))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err = decoder.Token(); err == nil {
			err = errors.New("something follows it")
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("read the config: %w", err)
	}
	return nil
}

// check refuses settings of an operator that asked for none.
func (s *Setup) check() error {
	settings := strings.Join(strings.Fields(s.config), "")
	if s.isRead || settings == "" || settings == "null" || settings == "{}" {
		return nil
	}
	return fmt.Errorf("read the config: the operator has no settings, and these are given: %s", s.config)
}

// A fault fails the record, the timer or the window that is being worked on, with this text.
type fault struct{ message string }

func (f *fault) Error() string { return f.message }

// fail fails what is being worked on.
func fail(format string, arguments ...any) {
	panic(&fault{fmt.Sprintf(format, arguments...)})
}
