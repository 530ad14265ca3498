// Does in the sandbox what programs in Go do elsewhere; each record says what.
package main

import (
	"fmt"
	"log"
	"log/slog"
	"os"

	"weir"
)

// Talks is the operator.
type Talks struct{}

// Process does what a record says.
func (*Talks) Process(record weir.Record, ctx *weir.Context) error {
	if string(record.Value()) == "throws" {
		fmt.Println(reciprocal(7))
	}
	fmt.Println("one", map[string]int{"two": 2}, []int{3})
	fmt.Print("without ")
	fmt.Print("an end")
	fmt.Fprintln(os.Stderr, "é🦀\nin two lines")
	log.Print("by log")
	slog.Warn("by slog", "number", 7)
	ctx.EmitString("printed")
	return nil
}

func reciprocal(of int) int {
	panic(fmt.Sprintf("no such number: %d", of))
}

func init() { weir.Export("talks", "1", &Talks{}) }

func main() {}
