package app

import (
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/valyala/fasthttp"

	"balanceo/server/randoms"
	"balanceo/server/serve"
	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

// clients that ask at once, each over one connection.
const clients = 32

// rate asks addr for a path, n times in all, with one cookie after the other, and returns answers per second.
func rate(b *testing.B, addr, path string, cookies []string, n int) float64 {
	b.Helper()
	client := &fasthttp.HostClient{Addr: addr, MaxConns: clients, NoDefaultUserAgentHeader: true}
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			var req fasthttp.Request
			var resp fasthttp.Response
			req.SetRequestURI("http://" + addr + path)
			for i := left.Add(-1); i >= 0; i = left.Add(-1) {
				if len(cookies) > 0 {
					req.Header.Set("Cookie", cookies[int(i)%len(cookies)])
				}
				if err := client.Do(&req, &resp); err != nil || resp.StatusCode() != 200 {
					b.Errorf("GET %s: %d, %v", path, resp.StatusCode(), err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// BenchmarkRoute measures routes over real sockets beside a bare server that answers with the same body and headers
// and does nothing for it, server and client in one process.
func BenchmarkRoute(b *testing.B) {
	p := start(b, storetest.Run(b), Config{Mode: "FORK", Port: 8080, Draw: randoms.NewLocal(runtime.GOMAXPROCS(0)).AppendJSON})
	addr := strings.TrimPrefix(p.url, "http://")
	users := make([]string, 50)
	for i := range users {
		user := newBrowser(b)
		user.signup(p, fmt.Sprintf("user%d@example.com", i), "Ana")
		users[i] = user.cookie(p)
	}
	for _, c := range []struct {
		name, path string
		cookies    []string
	}{
		{"login", "/login", nil},
		{"info", "/info", nil},
		{"healthz", "/healthz", nil},
		{"randoms", "/api/randoms?cant=1000", nil},
		{"home,50-users", "/", users},
	} {
		b.Run(c.name, func(b *testing.B) {
			beside(b, bare(b, addr, c.path, c.cookies), addr, c.path, c.cookies)
		})
	}
}

// bare is a server that gives to every request the answer that addr gives to one.
func bare(b *testing.B, addr, path string, cookies []string) string {
	b.Helper()
	var req fasthttp.Request
	var like fasthttp.Response
	req.SetRequestURI("http://" + addr + path)
	if len(cookies) > 0 {
		req.Header.Set("Cookie", cookies[0])
	}
	if err := fasthttp.Do(&req, &like); err != nil || like.StatusCode() != 200 {
		b.Fatalf("GET %s: %d, %v", path, like.StatusCode(), err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := serve.Limited(func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.SetContentTypeBytes(like.Header.ContentType())
		for key, value := range like.Header.All() {
			switch string(key) {
			case "Content-Type", "Content-Length", "Date", "Server":
			default:
				ctx.Response.Header.SetCanonical(key, value)
			}
		}
		ctx.Response.SetBodyRaw(like.Body())
	})
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	b.Cleanup(func() {
		if err := ln.Close(); err != nil {
			b.Error(err)
		}
		<-done
	})
	return ln.Addr().String()
}

// beside measures a path of the server at addr beside a bare one, in turns of 2,000 requests, so that both meet the
// same machine. Each op is ten turns. ratio is the median over the turns: 1 would be as fast as a server that
// does nothing.
func beside(b *testing.B, bare, addr, path string, cookies []string) {
	b.Helper()
	var ratios, rates []float64
	for b.Loop() {
		for range 10 {
			one := rate(b, bare, "/", cookies, 2000)
			own := rate(b, addr, path, cookies, 2000)
			rates, ratios = append(rates, own), append(ratios, own/one)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(rates), "req/s")
	b.ReportMetric(median(ratios), "ratio")
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// BenchmarkBroadcast measures from the sending of a product through one process until it has arrived at a
// websocket of another. Each op is 100 products, one after the other.
func BenchmarkBroadcast(b *testing.B) {
	for _, c := range []struct{ processes, sockets int }{{2, 2}, {6, 200}} {
		b.Run(fmt.Sprintf("processes=%d/sockets=%d", c.processes, c.sockets), func(b *testing.B) {
			db := storetest.Start(b, b.TempDir(), "127.0.0.1:0").URL
			processes := make([]*process, c.processes)
			for i := range processes {
				processes[i] = start(b, db, Config{})
			}
			user := newBrowser(b)
			user.signup(processes[0], "ana@example.com", "Ana")
			sockets := make([]*socket, c.sockets)
			var list []store.Product
			for i := range sockets {
				p := processes[i%len(processes)]
				sockets[i] = mustDial(b, p, "Cookie", user.cookie(p))
				sockets[i].next("PRODLIST", &list)
			}
			var all, worst []float64 // seconds: each delivery; the last delivery of each product
			for b.Loop() {
				for i := range 100 {
					title := fmt.Sprintf("product %d of %d", i, len(worst))
					began := time.Now()
					sockets[i%len(sockets)].send(newProduct(title, 1, picture))
					last := 0.0
					for _, s := range sockets {
						var p store.Product
						m := s.next("PRODUCT", &p)
						if p.Title != title {
							b.Fatalf("got %q, want %q: one is missing or came twice", p.Title, title)
						}
						took := m.at.Sub(began).Seconds()
						all, last = append(all, took), max(last, took)
					}
					worst = append(worst, last)
				}
			}
			slices.Sort(all)
			slices.Sort(worst)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e3*all[len(all)/2], "p50-ms")
			b.ReportMetric(1e3*all[len(all)*99/100], "p99-ms")
			b.ReportMetric(1e3*worst[len(worst)*99/100], "p99-last-ms")
		})
	}
}

// BenchmarkFollowing measures what the database's process spends on bringing products to 50 websockets of six
// processes: while nothing happens, and with five products a second. Each op is five seconds of each.
func BenchmarkFollowing(b *testing.B) {
	db := storetest.Start(b, b.TempDir(), "127.0.0.1:0")
	processes := make([]*process, 6)
	for i := range processes {
		processes[i] = start(b, db.URL, Config{})
	}
	user := newBrowser(b)
	user.signup(processes[0], "ana@example.com", "Ana")
	sockets := make([]*socket, 50)
	var list []store.Product
	for i := range sockets {
		p := processes[i%len(processes)]
		sockets[i] = mustDial(b, p, "Cookie", user.cookie(p))
		sockets[i].next("PRODLIST", &list)
	}
	busy := func(seconds int, work func()) (percent float64) {
		before := cpu(b, db.PID())
		for range 5 * seconds {
			tick := time.After(time.Second / 5)
			work()
			<-tick
		}
		return 100 * (cpu(b, db.PID()) - before).Seconds() / float64(seconds)
	}
	var idle, loaded float64
	for b.Loop() {
		idle += busy(5, func() {})
		loaded += busy(5, func() {
			sockets[0].send(newProduct("product", 1, picture))
			for _, s := range sockets {
				var p store.Product
				s.next("PRODUCT", &p)
			}
		})
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(idle/float64(b.N), "idle-%cpu")
	b.ReportMetric(loaded/float64(b.N), "loaded-%cpu")
}

// cpu is what a process has used of the processors.
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	p, err := procfs.NewProc(pid)
	if err != nil {
		b.Fatal(err)
	}
	stat, err := p.Stat()
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(stat.CPUTime() * float64(time.Second))
}
