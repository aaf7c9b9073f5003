package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/topology/supervise"
)

// serveBare is the least that fasthttp can do, in a process of its own: what the application is compared to.
func serveBare() {
	in, err := supervise.Inherited()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ln, err := net.FileListener(in.Listeners[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	handler, err := bareHandler(os.Getenv(likeServer))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = in.Notify()
	_ = fasthttp.Serve(ln, handler)
}

// BenchmarkServing asks real processes over 16 kept connections from this process, on the same cores.
// of-bare is the throughput over that of a bare fasthttp handler, asked in the same way just before and
// just after.
func BenchmarkServing(b *testing.B) {
	cmd := command(b)
	cmd.Env = append(cmd.Env, asServer+"=bare")
	bare := startOn(b, listen(b), cmd)
	for _, mode := range []string{"FORK", "CLUSTER"} {
		cmd := command(b, "-m", mode)
		cmd.Env = append(cmd.Env, "MONGO_URL=") // the embedded database, in the command's own folder
		p := startOn(b, listen(b), cmd)
		cookie := signUp(b, p.addr)
		for _, route := range []struct{ name, cookie string }{{"/login", ""}, {"/info", ""}, {"/", cookie}} {
			b.Run(mode+" "+route.name, func(b *testing.B) {
				const baseline = 20_000
				before := throughput(b, bare.addr, "/", "", baseline)
				b.ResetTimer()
				own := throughput(b, p.addr, route.name, route.cookie, b.N)
				b.StopTimer()
				after := throughput(b, bare.addr, "/", "", baseline)
				b.ReportMetric(own, "req/s")
				b.ReportMetric(2*own/(before+after), "of-bare")
			})
		}
	}
}

// signUp returns the cookie of a user who is signed in.
func signUp(b *testing.B, addr string) string {
	b.Helper()
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI("http://" + addr + "/signup")
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/x-www-form-urlencoded")
	req.SetBodyString("email=ana@example.com&password=correct-horse&name=Ana")
	if err := fasthttp.Do(req, res); err != nil {
		b.Fatal(err)
	}
	var pairs []string
	for key, value := range res.Header.Cookies() {
		var c fasthttp.Cookie
		if err := c.ParseBytes(value); err != nil {
			b.Fatal(err)
		}
		pairs = append(pairs, string(key)+"="+string(c.Value()))
	}
	if len(pairs) == 0 {
		b.Fatalf("signing up gave %d and no cookie", res.StatusCode())
	}
	return strings.Join(pairs, "; ")
}

// throughput sends n requests and returns how many were answered with 200 a second.
func throughput(b *testing.B, addr, path, cookie string, n int) float64 {
	b.Helper()
	const connections = 16
	client := &fasthttp.HostClient{Addr: addr, MaxConns: connections}
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(n))
	var senders sync.WaitGroup
	begin := time.Now()
	for range connections {
		senders.Go(func() {
			req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(res)
			req.SetRequestURI("http://" + addr + path)
			if cookie != "" {
				req.Header.Set(fasthttp.HeaderCookie, cookie)
			}
			for left.Add(-1) >= 0 {
				if err := client.Do(req, res); err != nil || res.StatusCode() != fasthttp.StatusOK {
					b.Errorf("%s: %d, %v", path, res.StatusCode(), err)
					return
				}
			}
		})
	}
	senders.Wait()
	return float64(n) / time.Since(begin).Seconds()
}
