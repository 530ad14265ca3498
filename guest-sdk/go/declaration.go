package weir

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// declaration is what an operator says of itself.
type declaration struct {
	name, version string
	inputs        []inputDecl
	outputs       []outputDecl
	states        []stateDecl
	timers        []timerDecl
	isWindowed    bool
}

// partitioning is how the records of an input have to come, as the world numbers it.
type partitioning uint8

const (
	partitioningAny partitioning = iota
	partitioningByKey
	partitioningBroadcast
)

// recordSchema is the name and version of a record type.
type recordSchema struct {
	id      string
	version uint32
}

type inputDecl struct {
	name         string
	accepts      []recordSchema
	partitioning partitioning
}

type outputDecl struct {
	name   string
	schema *recordSchema
}

type timerDecl struct {
	name   string
	domain timeDomain
}

// handles are the fields of one operator's value, by kind and in order.
type handles struct {
	states  []state
	inputs  []*Input
	outputs []*Output
	timers  []*timer
}

// declare reads the fields of an operator and their tags. It finds the handles, which are not bound to anything yet.
func declare(name, version string, operator Operator) (*declaration, *handles, error) {
	d, h := &declaration{name: validText(name), version: validText(version)}, &handles{}
	_, d.isWindowed = operator.(WindowHandler)
	value := reflect.ValueOf(operator)
	if value.Kind() != reflect.Pointer || value.Elem().Kind() != reflect.Struct {
		return nil, nil, errors.New("an operator is a pointer to a struct")
	}
	if err := d.addFields(value.Elem(), h); err != nil {
		return nil, nil, err
	}
	d.complete(h)
	return d, h, d.check(operator)
}

// addFields reads the fields of a struct, and those of structs that are embedded in it.
func (d *declaration) addFields(value reflect.Value, h *handles) error {
	for i := range value.NumField() {
		f := value.Type().Field(i)
		_, isHandle := reflect.New(f.Type).Interface().(handle)
		var err error
		switch {
		case isHandle && !f.IsExported():
			err = errors.New("it has to be exported: give it a name that begins with a capital letter")
		case isHandle:
			err = d.add(f, value.Field(i).Addr().Interface(), h)
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			if err := d.addFields(value.Field(i), h); err != nil {
				return err
			}
		}
		if err != nil {
			return told(value.Type(), f, err)
		}
	}
	return nil
}

// handle is what a field is that the operator declares.
type handle interface{ isHandle() }

func (*place) isHandle()  {}
func (*timer) isHandle()  {}
func (*Output) isHandle() {}
func (*Input) isHandle()  {}

// add reads one field.
func (d *declaration) add(f reflect.StructField, at any, h *handles) error {
	tag, err := readTag(f)
	if err != nil {
		return err
	}
	switch field := at.(type) {
	case *Input:
		return d.addInput(tag, field, h)
	case *Output:
		return d.addOutput(tag, field, h)
	case *EventTimer:
		return d.addTimer(tag, eventTime, &field.timer, h)
	case *ProcessingTimer:
		return d.addTimer(tag, processingTime, &field.timer, h)
	}
	return d.addState(tag, at.(state), h)
}

func (d *declaration) addState(tag fieldTag, field state, h *handles) error {
	said, err := tag.state()
	if err != nil {
		return err
	}
	shape, err := field.describe()
	if err != nil {
		return err
	}
	if said.ttl != nil && shape.kind == kindBroadcast {
		return errors.New("broadcast state has no time to live: it is the same in all subtasks, which are not at one time")
	}
	d.states = append(d.states, stateDecl{shape, said, uint32(len(d.states))})
	h.states = append(h.states, field)
	return nil
}

func (d *declaration) addInput(tag fieldTag, field *Input, h *handles) error {
	input := inputDecl{name: tag.name}
	if by, ok := tag.take("by"); ok {
		known := map[string]partitioning{"key": partitioningByKey, "broadcast": partitioningBroadcast}
		if input.partitioning, ok = known[by]; !ok {
			return fmt.Errorf("by is \"key\" or \"broadcast\", and not %q", by)
		}
	}
	accepts, _ := tag.take("accepts")
	for text := range strings.FieldsSeq(accepts) {
		schema, err := readSchema(text)
		if err != nil {
			return err
		}
		input.accepts = append(input.accepts, *schema)
	}
	field.number = uint32(len(d.inputs))
	d.inputs = append(d.inputs, input)
	h.inputs = append(h.inputs, field)
	return tag.done(inputOptions)
}

func (d *declaration) addOutput(tag fieldTag, field *Output, h *handles) error {
	output := outputDecl{name: tag.name}
	if text, ok := tag.take("schema"); ok {
		schema, err := readSchema(text)
		if err != nil {
			return err
		}
		output.schema = schema
	}
	if _, isMain := tag.take("main"); isMain {
		if len(d.outputs) > 0 {
			return errors.New("the main output stands before the others")
		}
	} else if len(d.outputs) == 0 {
		d.outputs, h.outputs = append(d.outputs, outputDecl{name: "out"}), append(h.outputs, &Output{})
	}
	d.outputs, h.outputs = append(d.outputs, output), append(h.outputs, field)
	return tag.done(outputOptions)
}

func (d *declaration) addTimer(tag fieldTag, domain timeDomain, field *timer, h *handles) error {
	field.index, field.name = uint32(len(d.timers)), tag.name
	d.timers, h.timers = append(d.timers, timerDecl{tag.name, domain}), append(h.timers, field)
	return tag.done(timerOptions)
}

// readSchema reads ID/VERSION.
func readSchema(text string) (*recordSchema, error) {
	id, version, _ := strings.Cut(text, "/")
	number, err := strconv.ParseUint(version, 10, 32)
	if err != nil || id == "" {
		return nil, fmt.Errorf("%q is no record schema: write ID/VERSION", text)
	}
	return &recordSchema{validText(id), uint32(number)}, nil
}

// complete adds what is there where nothing is said.
func (d *declaration) complete(h *handles) {
	if len(d.inputs) == 0 {
		d.inputs = []inputDecl{{name: "in"}}
	}
	if len(d.outputs) == 0 {
		d.outputs, h.outputs = []outputDecl{{name: "out"}}, []*Output{{}}
	}
}

// check refuses what goes together in no operator.
func (d *declaration) check(operator Operator) error {
	if _, handles := operator.(TimerHandler); len(d.timers) > 0 && !handles && !d.isWindowed {
		return fmt.Errorf("it declares the timer `%s` and has no OnTimer", d.timers[0].name)
	}
	if d.isWindowed && len(d.timers) > 0 {
		return errors.New("a windowed operator has no timers: its windows fire")
	}
	for _, state := range d.states {
		if d.isWindowed && state.ttl != nil {
			return fmt.Errorf("state `%s` has a time to live, and a windowed operator's live as long as their window", state.name)
		}
	}
	return nil
}
