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

// What a reload may cost is told where the balancer was reloaded during the run, and connections were reset.
func TestAtReload(t *testing.T) {
	began := time.Now()
	conf := &balancer.Config{Balancer: "caddy", AtReload: "it listens anew", Epochs: []balancer.Epoch{{Began: began.Add(-time.Hour)}, {Began: began.Add(time.Second)}}}
	before, lossless := *conf, *conf
	before.Epochs, lossless.AtReload = conf.Epochs[:1], ""
	reset, refused := []run.ErrorCount{{Class: "reset", Count: 2}, {Class: "http_5xx", Count: 1}}, []run.ErrorCount{{Class: "connect_refused", Count: 3}}
	for _, tt := range []struct {
		name   string
		conf   *balancer.Config
		errors []run.ErrorCount
		want   []string
	}{
		{"reset", conf, reset, []string{"2 requests over connections that were reset or closed, and caddy was reloaded during the run: it listens anew."}},
		{"refused", conf, refused, nil},
		{"not reloaded", &before, reset, nil},
		{"one that loses none", &lossless, reset, nil},
		{"no balancer", nil, reset, nil},
	} {
		if got := atReload(tt.conf, tt.errors, began); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
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
