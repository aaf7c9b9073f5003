package report

import (
	"strings"
	"testing"

	"balanceo/results/run"
	"balanceo/results/run/runtest"
)

// TestSearchThatFoundNothing: its last run may be as good as it likes.
func TestSearchThatFoundNothing(t *testing.T) {
	r := runtest.Record(runtest.Spec{Capacity: 900})
	if word, _ := Outcome(r); word != "PASS" {
		t.Fatalf("a search that found its rate: %s", word)
	}
	r.Search = &run.Search{SLO: "p99<1us"}
	if word, why := Outcome(r); word != "FAIL" || !strings.Contains(why, "No rate that holds p99<1us") {
		t.Errorf("a search that found no rate: %s, %q; want FAIL and its objective", word, why)
	}
}
