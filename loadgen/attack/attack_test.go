package attack

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
)

// list keeps every hit.
type list []tally.Hit

func (l *list) Add(h *tally.Hit) { *l = append(*l, *h) }

// count only counts.
type count struct{ hits, failed int }

func (c *count) Add(h *tally.Hit) {
	c.hits++
	if h.Err != tally.NoError {
		c.failed++
	}
}

func localTarget(t testing.TB, addr string) Target {
	t.Helper()
	target, err := ParseTarget(addr)
	if err != nil {
		t.Fatalf("ParseTarget(%q): %v", addr, err)
	}
	return target
}

// config is an attack whose hits all go to one sink.
func config(target Target, schedule pace.Schedule, sink Sink) Config {
	var mu sync.Mutex
	return Config{
		Target: target, Requests: []Request{Get("/")}, At: func(uint64) int { return 0 }, Schedule: schedule, Workers: 64,
		Timeout: 5 * time.Second, UserAgent: "loadgen/test", Sink: func() Sink { return locked{&mu, sink} }, Drain: time.Second,
	}
}

type locked struct {
	mu *sync.Mutex
	Sink
}

func (l locked) Add(h *tally.Hit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Sink.Add(h)
}

// bare is the address of a fasthttp server in this process that does next to nothing.
func bare(t testing.TB, handler fasthttp.RequestHandler) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{Handler: handler, NoDefaultServerHeader: true}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		_ = ln.Close()
		_ = server.Shutdown()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return ln.Addr().String()
}

func TestHeadersAndSchedule(t *testing.T) {
	agents := make(chan string, 1000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agents <- r.UserAgent()
		w.Header().Set("X-Upstream", "127.0.0.1:8080, 127.0.0.1:8081")
		w.Header().Set("X-Upstream-Group", "node_app")
		w.Header().Set("X-Worker", "42")
		w.Header().Set("X-Instance", "site1")
		_, _ = w.Write([]byte("hello"))
	}))
	defer srv.Close()
	var hits list
	schedule := pace.NewSchedule(pace.Constant(200), 200*time.Millisecond, 500*time.Millisecond)
	out, err := Run(context.Background(), config(localTarget(t, srv.URL), schedule, &hits))
	if err != nil || out.Partial || out.Measured != 500*time.Millisecond {
		t.Fatalf("Run: %+v, %v", out, err)
	}
	if len(hits) != 140 {
		t.Fatalf("%d hits, want 140", len(hits))
	}
	for _, h := range hits {
		if h.Status != 200 || h.Err != tally.NoError || h.Group != "node_app" || h.Tried != "127.0.0.1:8080, 127.0.0.1:8081" ||
			h.Worker != "42" || h.Name != "site1" || h.BytesIn != 5 {
			t.Fatalf("hit %+v", h)
		}
		if h.Sent < h.Due || h.Done < h.Sent {
			t.Fatalf("times of hit %+v", h)
		}
	}
	warm := 0
	for range hits {
		if <-agents == "loadgen/test-warmup" {
			warm++
		}
	}
	if warm != 40 {
		t.Errorf("%d warm-up requests, want 40", warm)
	}
}

// BenchmarkAttack is a whole attack without a pace, each of a second.
func BenchmarkAttack(b *testing.B) {
	addr := bare(b, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("ok") })
	var hits count
	for range b.N {
		if _, err := Run(b.Context(), config(localTarget(b, addr), pace.Unpaced(0, time.Second), &hits)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(hits.hits)/float64(b.N), "hits/s")
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
