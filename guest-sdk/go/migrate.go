package weir

import (
	"cmp"
	"fmt"
)

// An OldValue is one encoded value of an older version of a state, as [Migrator] is given it.
type OldValue struct {
	// State is the state's name.
	State string
	// Version is the version that the value is of.
	Version uint32
	// Bytes is the value as it was stored; they are valid until Migrate returns.
	Bytes []byte

	operator string
}

// Recode reads a value as an Old and returns the bytes of what change makes of it. Either type may be a [RawState].
func Recode[Old, New any](old OldValue, change func(old Old) New) ([]byte, error) {
	from, err := codecOf[Old]()
	if err != nil {
		return nil, old.failed("describe", err)
	}
	to, err := codecOf[New]()
	if err != nil {
		return nil, old.failed("describe", err)
	}
	values := new(struct {
		old Old
		new New
	})
	if err := from.decode(old.Bytes, &values.old); err != nil {
		return nil, old.failed("decode", err)
	}
	values.new = change(values.old)
	b, err := to.append(nil, &values.new)
	if err != nil {
		return nil, old.failed("encode", err)
	}
	return b, nil
}

// Unknown is the answer for a state or a version that the operator has no way from. It fails the job, which keeps its checkpoint.
func (o OldValue) Unknown() ([]byte, error) {
	return nil, fmt.Errorf("%s cannot migrate state `%s` from version %d", cmp.Or(o.operator, "the operator"), o.State, o.Version)
}

func (o OldValue) failed(attempt string, err error) error {
	return fmt.Errorf("%s state `%s` of version %d: %w", attempt, o.State, o.Version, err)
}
