package run_test

import (
	"strings"
	"testing"

	"balanceo/results/run"
	"balanceo/results/run/runtest"
)

// TestCheck has records that no load test has written: each would make a run look as none was.
func TestCheck(t *testing.T) {
	for want, edit := range map[string]func(*run.Record){
		"":                                    func(*run.Record) {},
		"unsent is -5":                        func(r *run.Record) { r.Unsent = -5 },
		"latency_missing is -5":               func(r *run.Record) { r.Missing = -5 },
		"status.404 is -1":                    func(r *run.Record) { r.Status["404"] = -1 },
		"the answers by status are 3001":      func(r *run.Record) { r.Status["404"] = 1 },
		"errors[0].count is -1":               func(r *run.Record) { r.Errors = []run.ErrorCount{{Class: "eof", Count: -1}} },
		"unexplained is -1":                   func(r *run.Record) { r.Reconciliation.Unexplained = -1 },
		"throughput_rps is -1":                func(r *run.Record) { r.Throughput = -1 },
		"generator.send_ratio is 7":           func(r *run.Record) { r.Generator.SendRatio = 7 },
		"groups[0].upstreams[1].requests is":  func(r *run.Record) { r.Groups[0].Upstreams[1].Requests = -1 },
		"groups[1].upstreams[0].retried_away": func(r *run.Record) { r.Groups[1].Upstreams[0].RetriedAway = -1 },
		"series[3].sent is -7":                func(r *run.Record) { r.Series[3].Sent = -7 },
		"ws.lost is -1":                       func(r *run.Record) { r.WS = &run.WS{Sent: 1, Lost: -1} },
		"search.max_rate is -5":               func(r *run.Record) { r.Search = &run.Search{MaxRate: -5, Confirmed: true} },
		"are more than the 2990 responses":    func(r *run.Record) { r.Responses, r.Status = 2990, nil },
		"latency_s: its percentiles go down":  func(r *run.Record) { r.Latency.P90 = r.Latency.Max + 1 },
	} {
		r := runtest.Record(runtest.Spec{})
		edit(r)
		if err := r.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want %q", err, want)
		}
	}
	r := runtest.Record(runtest.Spec{})
	ahead := -0.25
	r.Part = &run.Part{Number: 1, Of: 2, ClockOffset: &ahead}
	r.Events = []run.Event{{T: -0.5}}
	fewer := int64(-2)
	r.Reconciliation.Servers = &fewer // of a server that was killed while others loaded it
	if err := r.Check(); err != nil {
		t.Errorf("a clock that is behind, an event of the warm-up, a server that lost its count: %v", err)
	}
}
