package main

import (
	"slices"
	"testing"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/promise"
	"balanceo/loadgen/scenario"
	"balanceo/loadgen/tally"
	"balanceo/results/run"
	"balanceo/topology/balancer"
)

// What a configuration says that can't be read may be about shares, and the report says so.
func TestNotRead(t *testing.T) {
	p := &promise.Promise{From: "-nginx-conf x", Config: &balancer.Config{Warnings: []string{"the included file y is not to be had"}}}
	if got, want := notRead(p), []string{"Of -nginx-conf x: the included file y is not to be had."}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := notRead(&promise.Promise{}); got != nil {
		t.Errorf("of nothing: got %q", got)
	}
}

// Where a run ends early, a request that was no later than others were is not one that was never sent. Where it had its
// time, it is, and so is one that waited for longer.
func TestUnsentAtTheEnd(t *testing.T) {
	constant, err := pace.Parse("constant", 100, 10*time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		partial bool
		sent    int
		want    int64
	}{{"ended early", true, 98, 0}, {"had its time", false, 98, 2}, {"waited", true, 60, 38}} {
		s := pace.NewSchedule(constant, 0, 10*time.Second)
		counts := tally.New(tally.Config{End: s.End(), Routes: 1})
		for i := range tt.sent {
			due := s.Due(uint64(i))
			counts.Add(&tally.Hit{Number: uint64(i), Due: due, Sent: due + 25*time.Millisecond, Done: due + 30*time.Millisecond, Status: 200})
		}
		m := &measurement{tally: counts, outcome: attack.Outcome{Measured: time.Second, Partial: tt.partial}, record: &run.Record{Status: map[string]int64{}}}
		if err := m.fill(&plan{}, load{Scenario: &scenario.Scenario{Requests: make([]attack.Request, 1)}}, s); err != nil {
			t.Fatal(err)
		}
		if m.record.Unsent != tt.want {
			t.Errorf("%s: %d were never sent, want %d", tt.name, m.record.Unsent, tt.want)
		}
	}
}
