package tally

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/results/merge"
	"balanceo/results/run"
)

// TestFourPartsMerged deals hits out to four tallies as four generators would see them; their records merged must say
// what the record of one tally of all hits says, percentiles within the precision of the histograms.
func TestFourPartsMerged(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	routes := []Route{{"GET", "/a"}, {"GET", "/b"}, {"GET", "/api/randoms"}}
	start := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	record := func(part *run.Part, tally *Tally) *run.Record {
		r := &run.Record{Schema: run.Schema, ID: "whole", Started: start, Scenario: "mix", RequestedRate: 200, Part: part}
		if part != nil {
			r.ID, r.RequestedRate = "part-"+string(rune('0'+part.Number)), 50
		}
		if err := tally.Fill(r, routes, 20*time.Second); err != nil {
			t.Fatal(err)
		}
		r.Duration, r.Generator.SendRatio = 20, 1
		return r
	}
	whole := New(Config{Routes: 3})
	tallies := []*Tally{New(Config{Routes: 3}), New(Config{Routes: 3}), New(Config{Routes: 3}), New(Config{Routes: 3})}
	for i := range 4000 {
		h := randomHit(rng)
		whole.Add(&h)
		tallies[i%4].Add(&h)
	}
	var parts []*run.Record
	for i, tally := range tallies {
		offset := 0.0
		parts = append(parts, record(&run.Part{Number: i + 1, Of: 4, StartAt: start, ClockOffset: &offset}, tally))
	}
	want := record(nil, whole)
	got, err := merge.Records(parts)
	if err != nil {
		t.Fatal(err)
	}
	got.ID, got.Parts, got.Reconciliation, got.Generator = want.ID, nil, want.Reconciliation, want.Generator
	// Two significant digits in a second, three elsewhere.
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 0.01*math.Max(math.Abs(a), math.Abs(b)) })
	ignored := cmp.FilterPath(func(p cmp.Path) bool {
		name := p.Last().String()
		return name == ".HDR" || name == ".ScheduleLag" // the lag of the sum is that of the worst part
	}, cmp.Ignore())
	if diff := cmp.Diff(want, got, near, ignored); diff != "" {
		t.Errorf("four parts merged (-one generator +merged):\n%s", diff)
	}
	if len(got.Slowest) != mostSlow || got.Slowest[0].Latency != want.Slowest[0].Latency {
		t.Errorf("slowest: %d, first %+v; want %d and %v first", len(got.Slowest), got.Slowest[0], mostSlow, want.Slowest[0].Latency)
	}
}
