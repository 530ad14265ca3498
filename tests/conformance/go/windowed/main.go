// The windowed operator of the conformance tests. See tests/conformance/README.md.
package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"conformance"
	"weir"
)

// Windowed is the operator.
type Windowed struct {
	Sum   weir.ValueState[int64]        `weir:"sum"`
	First weir.ValueState[string]       `weir:"first"`
	Words weir.ListState[string]        `weir:"words"`
	Tally weir.MapState[string, uint64] `weir:"tally"`
}

// Process keeps a word and its number.
func (w *Windowed) Process(record weir.Record, ctx *weir.Context) error {
	text, err := record.Text()
	if err != nil {
		return err
	}
	word, rest := conformance.Words(text)
	if word == "fail" {
		return errors.New(rest)
	}
	number, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return err
	}
	w.Sum.Update(func(sum *int64) { *sum += number })
	if _, ok := w.First.Get(); !ok {
		w.First.Set(word)
	}
	w.Words.Append(word)
	times, _ := w.Tally.Get(word)
	w.Tally.Put(word, times+1)
	return nil
}

// OnWindow tells what a window has.
func (w *Windowed) OnWindow(window weir.FiredWindow, ctx *weir.Context) error {
	bounds := "-"
	if of, ok := window.Window(); ok {
		bounds = boundsOf(of)
	}
	first, hasFirst := w.First.Get()
	if first == "poison" {
		return fmt.Errorf("poison in %s", bounds)
	}
	reason := map[weir.WindowReason]string{weir.OnTime: "complete", weir.Early: "early", weir.Correction: "correction"}[window.Reason()]
	var words, tally, replaces []string
	for word := range w.Words.Values() {
		words = append(words, word)
	}
	for word, times := range w.Tally.All() {
		tally = append(tally, fmt.Sprintf("%s:%d", word, times))
	}
	for replaced := range window.Replaces() {
		replaces = append(replaces, boundsOf(replaced))
	}
	ctx.EmitString(fmt.Sprintf("%s %s %d sum=%s first=%s words=%s tally=%s replaces=%s",
		bounds, reason, window.Revision(), conformance.OrNone(w.Sum.Get()), conformance.OrNone(first, hasFirst),
		strings.Join(words, ","), strings.Join(tally, ","), strings.Join(replaces, ",")))
	return nil
}

func boundsOf(window weir.Window) string { return fmt.Sprintf("%d..%d", window.Start, window.End) }

func init() {
	weir.Export("conformance-windowed", "1.0.0", &Windowed{
		Sum:   weir.ValueState[int64]{Merge: func(earlier, later int64) int64 { return earlier + later }},
		First: weir.ValueState[string]{Merge: func(earlier, _ string) string { return earlier }},
		Tally: weir.MapState[string, uint64]{Merge: func(earlier, later uint64) uint64 { return earlier + later }},
	})
}

func main() {}
