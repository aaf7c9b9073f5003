package promise

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/ledger"
)

// Behind a Service each pod that lives is promised an equal part, and nothing once pods have come or gone.
func TestPods(t *testing.T) {
	log, err := ledger.OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := httptest.NewServer(ledger.New(log).Handler())
	defer s.Close()
	zero := func() int64 { return 0 }
	begin := func(instance, pod string) *ledger.Teller {
		teller := ledger.Tell(t.Context(), s.URL+ledger.PathCounts+instance, pod, zero)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			counts, err := ledger.AskCounts(t.Context(), s.URL)
			if err != nil {
				t.Fatal(err)
			}
			if _, known := counts.Instances[instance][pod]; known {
				return teller
			}
			if time.Now().After(deadline) {
				t.Fatal("the ledger was not told")
			}
		}
	}
	end := func(teller *ledger.Teller) {
		if err := teller.End(); err != nil {
			t.Error(err)
		}
	}
	one, two, other := begin("a", "a-1"), begin("b", "b-1"), begin("elsewhere", "e-1")
	defer end(two)
	defer end(other)
	end(begin("a", "a-0")) // ended before
	file := filepath.Join(t.TempDir(), "shares.json")
	conf := &balancer.Config{Balancer: balancer.Service, Ledger: s.URL, Groups: []balancer.Group{{
		Name: "g", Servers: []balancer.Server{{Addr: "a:8080", Name: "a"}, {Addr: "b:8080", Name: "b"}},
	}}}
	if err := conf.Save(file); err != nil {
		t.Fatal(err)
	}
	p, err := Find(context.Background(), "http://127.0.0.1:1", file)
	if err != nil {
		t.Fatal(err)
	}
	if p.Share("g", "a-1") != 0.5 || p.Share("g", "b-1") != 0.5 || p.Share("g", "a-0") != 0 {
		t.Errorf("got %+v, want half for a-1 and half for b-1", p.Config.Groups)
	}
	if err := p.Follow(t.Context()); err != nil || p.Config.Groups[0].Promise.Kind != balancer.Chance {
		t.Errorf("nothing has changed: got %v, %+v", err, p.Config.Groups[0].Promise)
	}
	end(one)
	three := begin("a", "a-2")
	defer end(three)
	if err := p.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := p.Config.Groups[0].Promise
	if got.Kind != balancer.Nothing || !strings.HasPrefix(got.Because, "While the load lasted a-2 came and a-1 went.") {
		t.Errorf("after a-1 ended and a-2 began: got %+v", got)
	}
}
