package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// asker asks one address for one path over so many connections at once.
type asker struct {
	addr, path string
	clients, n int
}

// ask sends n requests and returns how many were answered a second, and how long the slowest hundredth took at least.
func (a asker) ask(b *testing.B) (rate float64, p99 time.Duration) {
	b.Helper()
	client := &fasthttp.HostClient{Addr: a.addr, MaxConns: a.clients}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, a.n)
	var next atomic.Int64
	var senders, connected sync.WaitGroup
	connected.Add(a.clients)
	begin := make(chan struct{})
	for range a.clients {
		senders.Go(func() {
			var req fasthttp.Request
			var resp fasthttp.Response
			req.SetRequestURI("http://" + a.addr + "/info")
			_ = client.Do(&req, &resp) // connects
			connected.Done()
			<-begin
			req.SetRequestURI("http://" + a.addr + a.path)
			for i := next.Add(1) - 1; i < int64(a.n); i = next.Add(1) - 1 {
				sent := time.Now()
				if err := client.Do(&req, &resp); err != nil || resp.StatusCode() != fasthttp.StatusOK {
					b.Errorf("GET %s: %d, %v", a.path, resp.StatusCode(), err)
					return
				}
				took[i] = time.Since(sent)
			}
		})
	}
	connected.Wait()
	begun := time.Now()
	close(begin)
	senders.Wait()
	whole := time.Since(begun)
	slices.Sort(took)
	return float64(a.n) / whole.Seconds(), took[len(took)*99/100]
}

// beside measures a row of a table beside its first row, in turns. ratio is the median of its throughput over that of
// the first row, p99-ratio likewise; work is how many times as much there is to do for one request.
func (a asker) beside(b *testing.B, first asker, work float64) {
	b.Helper()
	var ratios, slower, rates, p99s []float64
	for b.Loop() {
		for range 5 {
			one, oneP99 := first.ask(b)
			own, ownP99 := a.ask(b)
			ratios, slower = append(ratios, own*work/one), append(slower, ownP99.Seconds()/oneP99.Seconds())
			rates, p99s = append(rates, own), append(p99s, 1e3*ownP99.Seconds())
		}
	}
	for name, all := range map[string][]float64{"ratio": ratios, "p99-ratio": slower, "req/s": rates, "p99-ms": p99s} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkGrowth shows how throughput and p99 change with what there is more of. Each row is measured in turns with
// the first of its table. ratio is that of what is done in a second, so that 1 means that cost grows as the work does. Each
// client sends its next request when it has its answer, so that p99 is at least clients over throughput.
func BenchmarkGrowth(b *testing.B) {
	const randoms = "/api/randoms?cant="
	one := func(path string, clients, n int) asker { return asker{path: path, clients: clients, n: n} }
	table := func(name string, rows []int, row func(of int) (asker, float64)) {
		var first asker
		for i, of := range rows {
			a, work := row(of)
			if i == 0 {
				first = a
			}
			b.Run(fmt.Sprintf("%s=%d", name, of), func(b *testing.B) { a.beside(b, first, work) })
		}
	}
	table("workers", []int{1, 2, 4}, func(w int) (asker, float64) {
		a := one(randoms+"1000", 32, 5000)
		a.addr = startOn(b, listen(b), command(b, "-m", "CLUSTER", "-w", strconv.Itoa(w))).addr
		return a, 1
	})
	server := startServer(b).addr
	table("clients", []int{10, 1, 100, 1000}, func(clients int) (asker, float64) {
		a := one("/info", clients, 10_000)
		a.addr = server
		return a, 1
	})
	table("cant", []int{10_000, 100, 1_000_000, 100_000_000}, func(cant int) (asker, float64) {
		a := one(fmt.Sprint(randoms, cant), 2, min(2000, max(4, 40_000_000/cant)))
		a.addr = server
		return a, float64(cant) / 10_000
	})
	table("upstreams", []int{2, 8, 64}, func(n int) (asker, float64) {
		a := one("/info", 16, 5000)
		a.addr = behindMany(b, n)
		return a, 1
	})
}

// behindMany starts nginx with the repository's nginx.conf before so many servers in one group, all of one process.
func behindMany(b *testing.B, n int) (addr string) {
	b.Helper()
	var servers strings.Builder
	for range n {
		ln := listen(b)
		done := make(chan error, 1)
		go func() { done <- fasthttp.Serve(ln, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("ok") }) }()
		b.Cleanup(func() {
			_ = ln.Close()
			<-done
		})
		fmt.Fprintf(&servers, "server %s max_fails=0;\n", ln.Addr().(*net.TCPAddr))
	}
	const first, second = "server    127.0.0.1:8080 weight=2 max_fails=0;", "server    127.0.0.1:8081 max_fails=0;"
	return behind(b, nil, first, servers.String(), second, "")
}
