package reconcile

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/ledger"
)

// What a process that died with its count had answered is attributed to it; without such a process it is unexplained.
func TestGone(t *testing.T) {
	log := newLogCount("agent", time.Now())
	log.run.lines, log.run.resolved = 10, 10
	log.run.answered["a"] = 10
	srv := &servers{counted: map[string]int64{"a": 7}}
	for _, dead := range []bool{true, false} {
		got := settle(client{responses: 10}, log, srv, map[string]bool{"a": dead})
		if gone, unexplained := got.Attributed[Gone], got.Unexplained; dead && (gone != 3 || unexplained != 0) || !dead && (gone != 0 || unexplained != 3) {
			t.Errorf("a process died: %v: got %d attributed to it and %d unexplained, of 3", dead, gone, unexplained)
		}
	}
}

// The count of an instance is that of all its processes, of those that have ended, too, and 0 before the first has told.
func TestCountedByLedger(t *testing.T) {
	log, err := ledger.OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := httptest.NewServer(ledger.New(log).Handler())
	defer s.Close()
	for name, n := range map[string]int64{"a-1": 3, "a-2": 4} {
		if err := ledger.Tell(t.Context(), s.URL+ledger.PathCounts+"a", name, func() int64 { return n }).End(); err != nil {
			t.Fatal(err)
		}
	}
	w := &Watch{cfg: Config{Nginx: &balancer.Config{Ledger: s.URL, Groups: []balancer.Group{{Servers: []balancer.Server{
		{Addr: "10.0.0.1:8080", Name: "a"}, {Addr: "10.0.0.2:8080", Name: "b"},
	}}}}}}
	got := w.countedByLedger(context.Background())
	if n, known := got["10.0.0.2:8080"]; got["10.0.0.1:8080"] != 7 || !known || n != 0 {
		t.Errorf("got %v, want 7 and 0", got)
	}
}
