package attack

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"balanceo/loadgen/pace"
	"balanceo/loadgen/tally"
)

// TestEachConnectionOnItsOwn has a server of which every tenth answer takes 100 ms and the others 1 ms. Eight
// connections of which none waits for another get 8/(0.1·100 ms + 0.9·1 ms) = 734/s.
func TestEachConnectionOnItsOwn(t *testing.T) {
	var n atomic.Int64
	var slept atomic.Int64 // nanoseconds
	addr := bare(t, func(ctx *fasthttp.RequestCtx) {
		began := time.Now()
		if n.Add(1)%10 == 0 {
			time.Sleep(100 * time.Millisecond)
		} else {
			time.Sleep(time.Millisecond)
		}
		slept.Add(int64(time.Since(began)))
	})
	var hits list
	cfg := config(localTarget(t, addr), pace.Unpaced(0, 2*time.Second), &hits)
	cfg.Workers = 8
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	rate := float64(len(hits)) / 2
	// A busy machine sleeps longer than it is told to, so what it did sleep is what counts.
	expected := 8 / (time.Duration(slept.Load()) / time.Duration(n.Load())).Seconds()
	t.Logf("%.0f/s; the server's own times allow %.0f/s, the nominal ones 734/s", rate, expected)
	if rate < 0.85*expected || rate > 1.02*expected || expected > 740 {
		t.Errorf("%.0f/s, want %.0f/s", rate, expected)
	}
}

// TestHanging has a server that never answers every fiftieth request: as many time-outs are counted, no more.
func TestHanging(t *testing.T) {
	var n, hung atomic.Int64
	release := make(chan struct{})
	addr := bare(t, func(*fasthttp.RequestCtx) {
		if n.Add(1)%50 == 0 {
			hung.Add(1)
			<-release
		}
		time.Sleep(time.Millisecond)
	})
	t.Cleanup(func() { close(release) })
	var hits list
	cfg := config(localTarget(t, addr), pace.Unpaced(0, 1500*time.Millisecond), &hits)
	cfg.Workers, cfg.Timeout = 8, 500*time.Millisecond
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	got := errorsOf(hits)
	if want := int(hung.Load()); got[tally.Timeout] != want || want != len(hits)/50 || want == 0 || len(got) != 2 {
		t.Errorf("%v of %d hits; the server kept %d unanswered", got, len(hits), want)
	}
}

// TestConnections counts how many connections a server gets.
func TestConnections(t *testing.T) {
	var opened atomic.Int64
	var mu sync.Mutex
	on := map[string]int{} // requests by connection
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		on[r.RemoteAddr]++
		mu.Unlock()
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	steady := pace.NewSchedule(pace.Constant(100), 0, 600*time.Millisecond)
	for _, test := range []struct {
		name   string
		engine Engine
		change func(*Config)
		want   int64
	}{
		{"15 workers as fast as it goes", Fast, func(c *Config) { c.Workers = 15; c.Schedule = pace.Unpaced(0, 300*time.Millisecond) }, 15},
		{"6 in turn", Fast, func(c *Config) { c.Workers, c.InTurn = 6, true }, 6},
		{"one for each request", Fast, func(c *Config) { c.NoKeepAlive = true }, 60},
		{"one for each request", Vegeta, func(c *Config) { c.NoKeepAlive = true }, 60},
	} {
		t.Run(fmt.Sprintf("%s, %s", test.engine, test.name), func(t *testing.T) {
			opened.Store(0)
			mu.Lock()
			clear(on)
			mu.Unlock()
			var hits list
			cfg := config(localTarget(t, srv.URL), steady, &hits)
			cfg.Engine = test.engine
			test.change(&cfg)
			if _, err := Run(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			if got := opened.Load(); got != test.want {
				t.Errorf("%d connections for %d hits, want %d", got, len(hits), test.want)
			}
			mu.Lock()
			defer mu.Unlock()
			for from, n := range on {
				// A connection whose answer is late is passed over once; the one used last would get nearly all.
				if cfg.InTurn && (n < 5 || n > 15) {
					t.Errorf("%d of 60 requests on the connection from %s, want some 10", n, from)
				}
			}
		})
	}
}

// TestEnginesAgree loads one server of known latencies with both engines: the same counts by status, class, group and
// bytes, and percentiles that are the server's.
func TestEnginesAgree(t *testing.T) {
	addr := bare(t, func(ctx *fasthttp.RequestCtx) {
		n := ctx.QueryArgs().GetUintOrZero("n")
		time.Sleep(time.Duration(20+n) * time.Millisecond)
		ctx.Response.Header.Set("X-Upstream-Group", "g")
		ctx.Response.Header.Set("X-Upstream", fmt.Sprintf("127.0.0.1:%d", 9000+n%2))
		if n == 9 {
			ctx.SetStatusCode(http.StatusServiceUnavailable)
		}
		ctx.SetBodyString("hello")
	})
	var requests []Request
	for n := range 10 {
		requests = append(requests, Get(fmt.Sprintf("/?n=%d", n)))
	}
	type figures struct {
		Err   map[tally.Class]int
		Tried map[string]int
		Bytes int64
		Hits  map[uint64]int
	}
	got, p := map[Engine]figures{}, map[Engine][2]time.Duration{}
	for _, engine := range []Engine{Fast, Vegeta} {
		var hits list
		cfg := config(localTarget(t, addr), pace.NewSchedule(pace.Constant(200), 100*time.Millisecond, 1500*time.Millisecond), &hits)
		cfg.Requests, cfg.At, cfg.Engine, cfg.RequestID = requests, func(n uint64) int { return int(n % 10) }, engine, "run"
		out, err := Run(t.Context(), cfg)
		if err != nil || out.Engine != engine || out.Grid <= 0 {
			t.Fatalf("Run: %+v, %v", out, err)
		}
		f := figures{errorsOf(hits), map[string]int{}, 0, map[uint64]int{}}
		var latencies []time.Duration
		for _, h := range hits {
			f.Tried[h.Tried]++
			f.Bytes += h.BytesIn
			f.Hits[h.Number]++
			latencies = append(latencies, h.Done-h.Due)
			if h.Due != cfg.Schedule.Due(h.Number) || h.Route != cfg.At(h.Number) || h.FirstByte < 20*time.Millisecond {
				t.Errorf("%s: hit %+v", engine, h)
			}
		}
		slices.Sort(latencies)
		got[engine], p[engine] = f, [2]time.Duration{latencies[len(latencies)/2], latencies[len(latencies)*3/4]}
	}
	if diff := cmp.Diff(got[Fast], got[Vegeta]); diff != "" || len(got[Fast].Hits) != 320 {
		t.Errorf("%d hits; counts (-fast +vegeta):\n%s", len(got[Fast].Hits), diff)
	}
	t.Logf("p50 and p75: %v", p)
	for i, truth := range []time.Duration{25 * time.Millisecond, 27 * time.Millisecond} {
		for engine, v := range p {
			// How much more it takes is for a busy machine to say; the table in loadgen/README.md is of a quiet one.
			if v[i] < truth-time.Millisecond {
				t.Errorf("%s: percentile %v, the server's is at least %v", engine, v[i], truth)
			}
		}
	}
}

// TestRequestID looks for the number of each hit, which each engine sends once.
func TestRequestID(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Header.Get("X-Request-Id")]++
		if r.Header.Get("X-Vegeta-Seq") != "" {
			seen["vegeta"]++
		}
	}))
	defer srv.Close()
	for _, engine := range []Engine{Fast, Vegeta} {
		for _, id := range []string{"run", ""} {
			var hits list
			cfg := config(localTarget(t, srv.URL), pace.NewSchedule(pace.Constant(200), 0, 200*time.Millisecond), &hits)
			cfg.Engine, cfg.RequestID = engine, id
			if _, err := Run(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			want := map[string]int{"": 40}
			for n := range 40 {
				if id != "" {
					delete(want, "")
					want[fmt.Sprintf("run-%d", n)] = 1
				}
			}
			mu.Lock()
			diff := cmp.Diff(want, seen)
			clear(seen)
			mu.Unlock()
			if diff != "" {
				t.Errorf("%s, id %q: (-want +got):\n%s", engine, id, diff)
			}
		}
	}
}

// TestUnsent has a server that does a tenth of what is asked for: what was due and not sent shows as hits that are
// missing, and the generator is not the one who was late.
func TestUnsent(t *testing.T) {
	var turn sync.Mutex
	addr := bare(t, func(*fasthttp.RequestCtx) {
		turn.Lock()
		defer turn.Unlock()
		time.Sleep(20 * time.Millisecond)
	})
	var hits list
	cfg := config(localTarget(t, addr), pace.NewSchedule(pace.Constant(500), 0, 500*time.Millisecond), &hits)
	cfg.Workers = 4
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	var own, all time.Duration
	for _, h := range hits {
		own += h.Lag
		all += h.Done - h.Due
	}
	if n := len(hits); n < 50 || n > 135 {
		t.Errorf("%d hits of 250; at 50/s in 2.5 s about 125", n)
	}
	if own > all/10 {
		t.Errorf("%v of lag are said to be the generator's, of %v of latency", own, all)
	}
}

// TestParts sends a schedule in four parts: together they are the whole.
func TestParts(t *testing.T) {
	addr := bare(t, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("ok") })
	whole := pace.NewSchedule(pace.Poisson{PerSecond: 400, Seed: 5}, 100*time.Millisecond, 400*time.Millisecond)
	seen := map[uint64]tally.Hit{}
	for part := range uint64(4) {
		var hits list
		cfg := config(localTarget(t, addr), whole.Part(part, 4), &hits)
		cfg.At = func(n uint64) int { return 0 }
		if _, err := Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		for _, h := range hits {
			if _, twice := seen[h.Number]; twice || h.Number%4 != part || h.Due != whole.Due(h.Number) {
				t.Errorf("part %d sent %+v", part, h)
			}
			seen[h.Number] = h
		}
	}
	if uint64(len(seen)) != whole.Hits() {
		t.Errorf("%d hits, the whole has %d", len(seen), whole.Hits())
	}
}

// TestFirst ends after a number of requests, paced or not, by either engine.
func TestFirst(t *testing.T) {
	addr := bare(t, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("ok") })
	for _, engine := range []Engine{Fast, Vegeta} {
		for name, s := range map[string]pace.Schedule{
			"unpaced": pace.Unpaced(50*time.Millisecond, time.Hour), "paced": pace.NewSchedule(pace.Constant(1000), 50*time.Millisecond, time.Hour),
		} {
			var hits list
			cfg := config(localTarget(t, addr), s.First(77), &hits)
			cfg.Engine = engine
			out, err := Run(t.Context(), cfg)
			if err != nil || out.Partial || out.Measured > time.Minute {
				t.Errorf("%s, %s: %+v, %v", engine, name, out, err)
			}
			measured := 0
			for _, h := range hits {
				if h.Due >= s.Warmup {
					measured++
				}
			}
			if measured != 77 {
				t.Errorf("%s, %s: %d hits measured, want 77", engine, name, measured)
			}
		}
	}
}

func TestExpect(t *testing.T) {
	addr := bare(t, func(ctx *fasthttp.RequestCtx) {
		ctx.SetStatusCode(http.StatusNotFound)
		ctx.SetBodyString("nobody here")
	})
	for _, engine := range []Engine{Fast, Vegeta} {
		for _, test := range []struct {
			expect Expect
			want   tally.Class
		}{
			{Expect{}, tally.HTTP4xx},
			{Expect{Status: []int{404}}, tally.NoError},
			{Expect{Status: []int{200, 302}}, tally.WrongStatus},
			{Expect{Status: []int{404}, Body: "body h"}, tally.NoError},
			{Expect{Status: []int{404}, Body: "somebody"}, tally.WrongBody},
		} {
			var hits list
			cfg := config(localTarget(t, addr), pace.NewSchedule(pace.Constant(100), 0, 50*time.Millisecond), &hits)
			cfg.Expect, cfg.Engine = test.expect, engine
			if _, err := Run(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[tally.Class]int{test.want: 5}, errorsOf(hits)); diff != "" {
				t.Errorf("%s, %+v (-want +got):\n%s", engine, test.expect, diff)
			}
		}
	}
}

// TestClients are the ways to connect beside a plain address.
func TestClients(t *testing.T) {
	var proto atomic.Value
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
		if r.URL.Path == "/from" {
			http.Redirect(w, r, "/to", http.StatusFound)
			return
		}
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100_000)) // more than fits one read
	})
	secure := httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(handler)
	defer plain.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RequestURI = ""
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.Header().Set("X-Instance", "proxy")
		w.WriteHeader(resp.StatusCode)
	}))
	defer proxy.Close()
	socket := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	local := &httptest.Server{Listener: ln, Config: &http.Server{Handler: handler}}
	local.Start()
	defer local.Close()
	_, port, _ := net.SplitHostPort(plain.Listener.Addr().String())
	roots := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	via, err := http.NewRequest(http.MethodGet, proxy.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, target, path string
		client             Client
		engine             Engine // that is chosen
		proto              string
		status             int
	}{
		{"plain", plain.URL, "/", Client{}, Fast, "HTTP/1.1", 200},
		{"unix socket", "http://any", "/", Client{UnixSocket: socket}, Fast, "HTTP/1.1", 200},
		{"resolve", "http://nowhere.invalid:" + port, "/", Client{Resolve: map[string]string{"nowhere.invalid:" + port: "127.0.0.1:" + port}}, Fast, "HTTP/1.1", 200},
		{"TLS", secure.URL, "/", Client{TLS: &tls.Config{RootCAs: roots}}, Vegeta, "HTTP/1.1", 200},
		{"HTTP/2", secure.URL, "/", Client{TLS: &tls.Config{RootCAs: roots}, HTTP2: true}, Vegeta, "HTTP/2.0", 200},
		{"redirect", plain.URL, "/from", Client{Redirects: 1}, Vegeta, "HTTP/1.1", 200},
		{"no redirect", plain.URL, "/from", Client{}, Fast, "HTTP/1.1", 302},
		{"proxy", plain.URL, "/", Client{Proxy: via.URL}, Vegeta, "HTTP/1.1", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			var hits list
			cfg := config(localTarget(t, test.target), pace.NewSchedule(pace.Constant(100), 0, 100*time.Millisecond), &hits)
			cfg.Client, cfg.Requests = test.client, []Request{Get(test.path)}
			out, err := Run(t.Context(), cfg)
			if err != nil || out.Engine != test.engine || proto.Load() != test.proto {
				t.Errorf("engine %q, %v, %v; want %q, %v", out.Engine, proto.Load(), err, test.engine, test.proto)
			}
			for _, h := range hits {
				if h.Status != test.status || h.Err != tally.NoError || (h.Name == "proxy") != (test.client.Proxy != nil) ||
					h.Name != "proxy" && h.Status == 200 && h.BytesIn != 100_000 {
					t.Errorf("hit %+v, want status %d", h, test.status)
				}
			}
			if len(hits) != 10 {
				t.Errorf("%d hits, want 10", len(hits))
			}
		})
	}
}

// TestPoissonStaysPoisson counts how many hits leave together at a rate at which a grid of a millisecond would hold
// five each: of independent arrivals the variance over the mean in any window is 1, on a grid it is not.
func TestPoissonStaysPoisson(t *testing.T) {
	s := pace.NewSchedule(pace.Poisson{PerSecond: 5000, Seed: 3}, 0, 4*time.Second)
	const window = 500 * time.Microsecond
	in := make([]float64, 4*time.Second/window)
	for n := range s.Hits() {
		in[s.Due(n)/window]++
	}
	var sum, squares float64
	for _, x := range in {
		sum += x
		squares += x * x
	}
	mean := sum / float64(len(in))
	if d := (squares/float64(len(in)) - mean*mean) / mean; math.Abs(d-1) > 0.1 {
		t.Errorf("variance over mean of the hits due in %v: %v, want 1", window, d)
	}
}

func TestStartAt(t *testing.T) {
	addr := bare(t, func(*fasthttp.RequestCtx) {})
	var hits list
	cfg := config(localTarget(t, addr), pace.NewSchedule(pace.Constant(100), 0, 50*time.Millisecond), &hits)
	cfg.StartAt = time.Now().Add(300 * time.Millisecond)
	out, err := Run(context.Background(), cfg)
	if err != nil || out.Began.Before(cfg.StartAt.Add(-time.Millisecond)) || out.Began.After(cfg.StartAt.Add(time.Millisecond)) || len(hits) != 5 {
		t.Errorf("began %v, want %v; %d hits, %v", out.Began, cfg.StartAt, len(hits), err)
	}
	if _, err := Run(context.Background(), cfg); err == nil {
		t.Error("a time that is over is accepted")
	}
}
