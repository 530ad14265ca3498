package weir_test

import (
	"fmt"

	"weir"
)

// Visits is what is kept of a page.
type Visits struct {
	Count uint64  `weir:"count"`
	Last  *string `weir:"last"`
}

// CountVisits counts the visits of pages by country.
type CountVisits struct {
	Visits    weir.ValueState[Visits]       `weir:"visits"`
	History   weir.ListState[string]        `weir:"history"`
	ByCountry weir.MapState[string, uint64] `weir:"by-country"`

	Often weir.Output `weir:"often"`

	config struct {
		Limit uint64 `json:"limit"`
	}
}

// Open reads the config.
func (c *CountVisits) Open(setup *weir.Setup) error { return setup.Config(&c.config) }

// Process counts one visit.
func (c *CountVisits) Process(record weir.Record, ctx *weir.Context) error {
	country, err := record.Text()
	if err != nil {
		return err
	}
	var count uint64
	c.Visits.Update(func(visits *Visits) {
		visits.Count++
		visits.Last = &country
		count = visits.Count
	})
	before, _ := c.ByCountry.Get(country)
	c.ByCountry.Put(country, before+1)
	c.History.Append(country)
	if count > c.config.Limit {
		ctx.Metric("often", 1)
		if err := c.Often.EmitJSON([]any{country, count}); err != nil {
			return err
		}
	}
	ctx.EmitString(fmt.Sprint(count))
	return nil
}

func init() { weir.Export("count-visits", "0.1.0", &CountVisits{}) }

func Example() {
	host, err := weir.NewTestHost(&CountVisits{}, `{"limit":1}`)
	if err != nil {
		panic(err)
	}
	if err := host.Send(weir.TestRecord{Key: "/", Value: "NZ"}, weir.TestRecord{Key: "/", Value: "NZ"}); err != nil {
		panic(err)
	}
	fmt.Println(host.Emitted()[1].Value, host.EmittedTo("often")[0].Value)
	// Output: 2 ["NZ",2]
}
