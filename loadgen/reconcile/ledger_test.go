package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"balanceo/loadgen/tally"
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
	w := &Watch{cfg: Config{Nginx: &balancer.Config{Ledger: s.URL, AccessLog: s.URL, Groups: []balancer.Group{{Servers: []balancer.Server{
		{Addr: "10.0.0.1:8080", Name: "a"}, {Addr: "10.0.0.2:8080", Name: "b"},
	}}}}}}
	got := w.countedByLedger(context.Background())
	if n, known := got["10.0.0.2:8080"]; got["10.0.0.1:8080"] != 7 || !known || n != 0 {
		t.Errorf("got %v, want 7 and 0", got)
	}
}

// Without a balancer's log an instance's count is that of all its pods, whenever they came, once. What a pod that died
// had answered is attributed to it.
func TestCountedWithoutLog(t *testing.T) {
	log, err := ledger.OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := httptest.NewServer(ledger.New(log).Handler())
	defer s.Close()
	tell := func(pod string, n int64) {
		if err := ledger.Tell(t.Context(), s.URL+ledger.PathCounts+"a", pod, func() int64 { return n }).End(); err != nil {
			t.Fatal(err)
		}
	}
	tell("a-1", 3)
	tell("a-2", 4)
	conf := &balancer.Config{Balancer: balancer.Service, Ledger: s.URL, Groups: []balancer.Group{{Servers: []balancer.Server{{Addr: "a-1", Name: "a"}, {Addr: "a-2", Name: "a"}}}}}
	w := Begin(t.Context(), Config{Nginx: conf, Part: true})
	tell("a-3", 5) // came later
	srv := w.compare(w.counted(t.Context()), nil)
	if len(srv.silent) != 0 || srv.counted["a"] != 5 || len(srv.counted) != 1 {
		t.Fatalf("got %+v, want 5 of a", srv)
	}
	if got := settle(client{responses: 2, warmup: 1, part: true}, nil, srv, nil); got.Whole == nil || *got.Whole != 5 || got.Servers != nil || got.Unexplained != 0 {
		t.Errorf("a part: got %+v, want the whole 5, and nothing unexplained", got.Reconciliation)
	}
	for gone, want := range map[bool]int64{true: 0, false: 3} {
		addrs := map[string]bool{}
		if gone {
			addrs["a"] = true
		}
		got := settle(client{responses: 7, warmup: 1}, nil, srv, addrs)
		if got.Unexplained != want || got.Attributed[Gone] != 3-want {
			t.Errorf("a process died: %v: got %d attributed to it and %d unexplained, of 3", gone, got.Attributed[Gone], got.Unexplained)
		}
	}
}

// What a ledger hears late, lines and counts of requests that others sent, is heard before anything is called unexplained.
func TestLedgerHearsLate(t *testing.T) {
	kept, err := ledger.OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	handler := ledger.New(kept).Handler()
	answer := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRecorder()
		handler.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
		return r
	}
	line := func(agent string) string {
		return fmt.Sprintf(`{"msec":%.3f,"request_time":0.001,"method":"GET","uri":"/","status":200,"upstream_group":"g","upstream_addr":"10.0.0.1:8080",`+
			`"upstream_status":"200","upstream_response_time":"0.001","user_agent":%q,"request_id":""}`+"\n", float64(time.Now().UnixMilli())/1000, agent)
	}
	late := func() {}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		if r.Method == http.MethodGet && r.URL.Path == ledger.PathCounts {
			late()
		}
	}))
	defer s.Close()
	conf := &balancer.Config{Ledger: s.URL, AccessLog: s.URL, Groups: []balancer.Group{{Name: "g", Servers: []balancer.Server{{Addr: "10.0.0.1:8080", Name: "a"}}}}}
	w := Begin(t.Context(), Config{Agent: "mine", Nginx: conf, Part: true})
	time.Sleep(20 * blur * time.Millisecond) // beyond doubt after the servers were asked
	mine, others := line("mine")+line("mine"), line("theirs")+line("theirs")+line("theirs")
	time.Sleep(20 * blur * time.Millisecond) // and before the end
	answer(http.MethodPost, ledger.PathLog+"nginx?at=0", mine)
	answer(http.MethodPut, ledger.PathCounts+"a/a-1", "3") // mine, and one of another's
	late = func() {
		answer(http.MethodPost, ledger.PathLog+fmt.Sprintf("nginx?at=%d", len(mine)), others)
		answer(http.MethodPut, ledger.PathCounts+"a/a-1", "5")
	}
	out := w.Finish(t.Context(), tally.Counts{Requests: 2, Responses: 2}, 0)
	if c := out.Reconciliation; c.Unexplained != 0 || c.Servers == nil || *c.Servers != 2 || c.Attributed[Others] != 3 {
		t.Errorf("got %+v, %q; want 2 of mine, 3 of others and nothing unexplained", c, out.Warnings)
	}
}
