package main

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"conformance"
	"weir"
)

// lastOf returns what was last as text.
func lastOf(seen Seen) string {
	if seen.Last == nil {
		return "none"
	}
	return *seen.Last
}

// values runs the commands about the value states.
func (c *command) values() bool {
	switch c.name {
	case "count":
		var before string
		var count uint64
		c.Seen.Update(func(seen *Seen) {
			before = lastOf(*seen)
			seen.Count++
			seen.Low--
			if seen.Last = nil; c.rest != "" {
				seen.Last = &c.rest
			}
			count = seen.Count
		})
		c.tell(fmt.Sprintf("%d %s", count, before))
	case "huge":
		c.Seen.Set(Seen{Count: 1<<64 - 1, Last: &c.rest, Low: -1 << 63})
	case "seen":
		seen, ok := c.Seen.Get()
		c.tell(conformance.OrNone(fmt.Sprintf("%d %s %d", seen.Count, lastOf(seen), seen.Low), ok))
	case "blob":
		blob, err := hex.DecodeString(c.rest)
		c.err = err
		c.Blob.Set(blob)
	case "blob?":
		blob, ok := c.Blob.Get()
		c.tell(conformance.OrNone(hex.EncodeToString(blob), ok))
	case "brief":
		brief, err := strconv.ParseUint(c.rest, 10, 32)
		c.err = err
		c.Brief.Set(uint32(brief))
	case "brief?":
		c.tell(conformance.OrNone(c.Brief.Get()))
	case "forget":
		c.Seen.Clear()
		c.Blob.Clear()
		c.Items.Clear()
		c.Entries.Clear()
		c.Brief.Clear()
	default:
		return false
	}
	return true
}

// collections runs the commands about the list, the map and the rules.
func (c *command) collections() bool {
	switch c.name {
	case "append":
		c.Items.Append(c.rest)
	case "pop":
		c.Items.PopFront(int(c.number()))
	case "truncate":
		c.Items.Truncate(int(c.number()))
	case "clear-items":
		c.Items.Clear()
	case "item":
		c.tell(conformance.OrNone(c.Items.At(int(c.number()))))
	case "items":
		var items []string
		for item := range c.Items.Values() {
			items = append(items, item)
		}
		c.tell(fmt.Sprintf("%d %s", c.Items.Len(), strings.Join(items, ",")))
	case "put":
		entry, number := conformance.Words(c.rest)
		c.rest = number
		c.Entries.Put(entry, c.number())
	case "remove":
		c.Entries.Remove(c.rest)
	case "clear-entries":
		c.Entries.Clear()
	case "entry":
		c.tell(conformance.OrNone(c.Entries.Get(c.rest)))
	case "entries":
		var entries []string
		for entry, number := range c.Entries.All() {
			entries = append(entries, fmt.Sprintf("%s=%d", entry, number))
		}
		c.tell(strings.Join(entries, ","))
	case "rule":
		c.tell(conformance.OrNone(c.RuleSet.Get(c.rest)))
	case "rules":
		var rules []string
		for name, rule := range c.RuleSet.All() {
			rules = append(rules, name+"="+rule)
		}
		c.tell(strings.Join(rules, ","))
	default:
		return false
	}
	return true
}

// emits runs the commands about what is emitted.
func (c *command) emits() bool {
	switch c.name {
	case "echo":
		c.tell(c.rest)
	case "long":
		c.tell(strings.Repeat("x", int(c.number())))
	case "pass":
		c.ctx.Pass()
	case "pass-side":
		c.Side.Pass()
	case "both":
		c.ctx.Pass()
		c.tell("made")
	case "side":
		c.Side.EmitString(c.rest)
	case "absent":
		c.ctx.EmitAbsent()
	case "key":
		c.ctx.EmitKeyed([]byte(c.rest), []byte("keyed"))
	case "keyless":
		c.ctx.EmitRecord(weir.Value([]byte("keyless")).WithoutKey())
	case "at":
		c.ctx.EmitRecord(weir.Value([]byte("at")).At(c.number()))
	case "timeless":
		c.ctx.EmitRecord(weir.Value([]byte("timeless")).WithoutTime())
	case "header":
		headers := append(c.record.Headers(), weir.Header{Name: "seen", Value: []byte(c.rest)})
		c.ctx.EmitRecord(weir.Value([]byte("header")).WithHeaders(headers...))
	case "headers":
		var pairs []string
		for _, header := range c.record.Headers() {
			pairs = append(pairs, fmt.Sprintf("%s=%s", header.Name, header.Value))
		}
		c.ctx.EmitRecord(weir.Value([]byte(strings.Join(pairs, ","))).WithHeaders())
	default:
		return false
	}
	return true
}

// times runs the commands about time.
func (c *command) times() bool {
	switch c.name {
	case "timer":
		c.Soon.Set(c.number())
	case "untimer":
		c.Soon.Delete(c.number())
	case "tick":
		c.Tick.Set(c.number())
	case "untick":
		c.Tick.Delete(c.number())
	case "time":
		c.tell(conformance.OrNone(c.record.Timestamp()))
	case "watermark":
		c.tell(conformance.OrNone(c.ctx.Watermark()))
	case "clock":
		c.tell(strconv.FormatInt(c.ctx.ProcessingTime().UnixMilli(), 10))
	default:
		return false
	}
	return true
}
