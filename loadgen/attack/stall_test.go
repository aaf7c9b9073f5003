package attack

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"github.com/valyala/fasthttp"

	"balanceo/loadgen/pace"
)

// staller answers at once but for one stall, which begins with its nth request.
type staller struct {
	nth   int64
	stall time.Duration
	seen  atomic.Int64
	until atomic.Int64 // Unix nanoseconds
}

func (s *staller) handle(ctx *fasthttp.RequestCtx) {
	if s.seen.Add(1) == s.nth {
		s.until.Store(time.Now().Add(s.stall).UnixNano())
	}
	if wait := time.Until(time.Unix(0, s.until.Load())); wait > 0 {
		time.Sleep(wait)
	}
	ctx.SetBodyString("ok")
}

// TestStall shows the reason for this package. The server stalls once; a hit that is due d before the stall
// ends has to wait for d, whether or not a worker was free to send it. Of rate·duration hits the slowest
// hundredth waited for longer than p99 = stall − duration/100.
func TestStall(t *testing.T) {
	const (
		rate     = 400
		duration = 4 * time.Second
		stall    = 800 * time.Millisecond
		workers  = 8
		truth    = stall - duration/100
	)
	server := &staller{nth: rate, stall: stall}
	addr := bare(t, server.handle)

	var hits list
	cfg := config(localTarget(t, addr), pace.NewSchedule(pace.Constant(rate), 0, duration), &hits)
	cfg.Workers = workers
	if _, err := Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	latencies := make([]time.Duration, len(hits))
	for i, h := range hits {
		latencies[i] = h.Done - h.Due
	}
	got := percentile99(latencies)
	if len(hits) != 1600 || got < truth-truth/20 || got > 2*truth {
		t.Errorf("p99 of %d hits = %v, want %v of 1600, at most 5%% less (more is what else the machine does)", len(hits), got, truth)
	}

	server.seen.Store(0)
	attacker := vegeta.NewAttacker(vegeta.Workers(workers), vegeta.MaxWorkers(workers))
	var plainLatencies []time.Duration
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: "http://" + addr})
	for r := range attacker.Attack(target, vegeta.Rate{Freq: rate, Per: time.Second}, duration, "") {
		plainLatencies = append(plainLatencies, r.Latency)
	}
	// A pause, of the server or of a busy machine, delays no more of vegeta's hits than it has workers.
	waited, plain := longer(latencies, truth/2), longer(plainLatencies, truth/2)
	t.Logf("p99: true %v, loadgen %v, vegeta with the same %d workers %v; for longer than %v waited %d and %d",
		truth, got, workers, percentile99(plainLatencies), truth/2, waited, plain)
	if plain > waited/2 {
		t.Errorf("vegeta alone had %d of %d wait: this test does not show what it is to show", plain, waited)
	}
}

// longer counts what took longer than limit.
func longer(took []time.Duration, limit time.Duration) (n int) {
	for _, d := range took {
		if d > limit {
			n++
		}
	}
	return n
}

func percentile99(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)*99/100]
}
