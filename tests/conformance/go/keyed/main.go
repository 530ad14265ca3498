// The keyed operator of the conformance tests: each record is a command. See tests/conformance/README.md.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"conformance"
	"weir"
)

// Seen is what is kept of a key. In version 1 it was the count alone.
type Seen struct {
	Count uint64  `weir:"count"`
	Last  *string `weir:"last"`
	Low   int64   `weir:"low"`
}

// Keyed is the operator.
type Keyed struct {
	Commands weir.Input `weir:"commands,by=key"`
	Rules    weir.Input `weir:"rules,by=broadcast"`

	Side weir.Output `weir:"side"`

	Soon weir.EventTimer      `weir:"soon"`
	Tick weir.ProcessingTimer `weir:"tick"`

	Seen    weir.ValueState[Seen]               `weir:"seen,version=2"`
	Blob    weir.ValueState[weir.RawBytes]      `weir:"blob"`
	Items   weir.ListState[string]              `weir:"items"`
	Entries weir.MapState[string, int64]        `weir:"entries"`
	Brief   weir.ValueState[uint32]             `weir:"brief,ttl=1h,time=event,refresh=read"`
	RuleSet weir.BroadcastState[string, string] `weir:"rules"`
	config  struct {
		Greeting string  `json:"greeting"`
		FailOpen *string `json:"fail-open"`
	}
	schema  string
	subtask string
}

// Open reads the config.
func (k *Keyed) Open(setup *weir.Setup) error {
	k.config.Greeting = "hello"
	if err := setup.Config(&k.config); err != nil {
		return err
	}
	if k.config.FailOpen != nil {
		return errors.New(*k.config.FailOpen)
	}
	k.schema = conformance.OrNone(setup.Schema(0))
	k.subtask = fmt.Sprintf("%d of %d", setup.Subtask, setup.Parallelism)
	return nil
}

// Process runs a command, or changes the rules.
func (k *Keyed) Process(record weir.Record, ctx *weir.Context) error {
	if record.From(k.Rules) {
		return k.rule(record)
	}
	if !record.HasValue() {
		k.Side.EmitAbsent()
		return nil
	}
	if !utf8.Valid(record.Value()) {
		reversed := bytes.Clone(record.Value())
		slices.Reverse(reversed)
		ctx.Emit(reversed)
		return nil
	}
	c := command{Keyed: k, record: record, ctx: ctx}
	c.name, c.rest = conformance.Words(string(record.Value()))
	if c.values() || c.collections() || c.emits() || c.times() {
		return c.err
	}
	return c.others()
}

func (k *Keyed) rule(record weir.Record) error {
	text, err := record.Text()
	if err != nil {
		return err
	}
	name, rule, isPut := strings.Cut(text, "=")
	switch {
	case text == "*":
		k.RuleSet.Clear()
	case isPut:
		k.RuleSet.Put(name, rule)
	default:
		k.RuleSet.Remove(name)
	}
	return nil
}

// OnTimer tells of a timer.
func (k *Keyed) OnTimer(timer weir.FiredTimer, ctx *weir.Context) error {
	time := timer.Timestamp()
	if time%1_000 == 777 {
		return fmt.Errorf("poison at %d", time)
	}
	seen, ok := k.Seen.Get()
	count := conformance.OrNone(seen.Count, ok)
	if timer.Is(k.Tick) {
		k.Side.EmitString(fmt.Sprintf("tick %s %d %s", timer.Key(), time, count))
		return nil
	}
	ctx.EmitString(fmt.Sprintf("soon %s %d %s", timer.Key(), time, count))
	seen.Count++
	k.Seen.Set(seen)
	if seen.Last != nil && *seen.Last == "again" && time%100 != 0 {
		k.Soon.Set(time + 10)
	}
	return nil
}

// Migrate makes a Seen of a count.
func (k *Keyed) Migrate(old weir.OldValue) ([]byte, error) {
	if old.State == "seen" && old.Version == 1 {
		return weir.Recode(old, func(count uint64) Seen { return Seen{Count: count} })
	}
	return old.Unknown()
}

// command is one command and what came of it. Its methods say whether it was one of theirs.
type command struct {
	*Keyed
	record     weir.Record
	ctx        *weir.Context
	name, rest string
	err        error
}

// number returns the rest as a number.
func (c *command) number() int64 {
	number, err := strconv.ParseInt(c.rest, 10, 64)
	c.err = errors.Join(c.err, err)
	return number
}

func (c *command) tell(text string) { c.ctx.EmitString(text) }

func (c *command) others() error {
	switch c.name {
	case "config":
		c.tell(c.config.Greeting)
	case "schema":
		c.tell(c.schema)
	case "subtask":
		c.tell(c.subtask)
	case "log":
		log.Print(c.rest)
	case "metric":
		c.ctx.Metric("metric", c.number())
	case "fail":
		return errors.New(c.rest)
	default:
		return fmt.Errorf("no command `%s`", c.name)
	}
	return c.err
}

func init() { weir.Export("conformance-keyed", "2.0.0", &Keyed{}) }

func main() {}
