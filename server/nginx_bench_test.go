package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// likeServer names the server whose answers a bare one gives.
const likeServer = "SERVER_TEST_LIKE"

// measuredPaths are what the balancer is asked for.
func measuredPaths() []string { return []string{"/info", "/login", "/api/randoms?cant=1000"} }

// bareHandler answers as the server at addr did once, and does nothing for it; without addr, with two letters.
func bareHandler(addr string) (fasthttp.RequestHandler, error) {
	if addr == "" {
		return func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("ok") }, nil
	}
	answers := map[string]*fasthttp.Response{}
	for _, path := range measuredPaths() {
		var req fasthttp.Request
		like := &fasthttp.Response{}
		req.SetRequestURI("http://" + addr + path)
		if err := fasthttp.Do(&req, like); err != nil {
			return nil, err
		}
		like.Header.DisableNormalizing()
		answers[path] = like
	}
	return func(ctx *fasthttp.RequestCtx) {
		like := answers[string(ctx.RequestURI())]
		if like == nil {
			ctx.SetStatusCode(fasthttp.StatusNotFound)
			return
		}
		ctx.Response.Header.SetContentTypeBytes(like.Header.ContentType())
		for key, value := range like.Header.All() {
			switch string(key) {
			case fasthttp.HeaderContentType, fasthttp.HeaderContentLength, fasthttp.HeaderDate, fasthttp.HeaderServer:
			default:
				ctx.Response.Header.SetCanonical(key, value)
			}
		}
		ctx.Response.SetBodyRaw(like.Body())
	}, nil
}

// six starts six servers, ours or, like one of ours, bare ones.
func six(b *testing.B, like string) (addrs []string) {
	for range 6 {
		cmd := command(b)
		if like != "" {
			cmd.Env = append(cmd.Env, asServer+"=bare", likeServer+"="+like)
		}
		addrs = append(addrs, startOn(b, listen(b), cmd).addr)
	}
	return addrs
}

// behind starts nginx with the repository's nginx.conf, changed as the pairs of old and new text say, before six
// servers.
func behind(b *testing.B, addrs []string, change ...string) (addr string) {
	b.Helper()
	text, err := os.ReadFile("../nginx.conf")
	if err != nil {
		b.Fatal(err)
	}
	dir, ln := b.TempDir(), listen(b)
	addr = ln.Addr().String()
	_ = ln.Close()
	change = append(change, "listen 127.0.0.1:80;", "listen "+addr+";")
	for i, server := range addrs {
		change = append(change, fmt.Sprintf("127.0.0.1:%d", 8080+i), server)
	}
	conf := string(text)
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(conf, change[i]) {
			b.Fatalf("nginx.conf has no %q", change[i])
		}
		conf = strings.ReplaceAll(conf, change[i], change[i+1])
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		b.Fatal(err)
	}
	run1(b, nginxCommand(dir), addr)
	eventually(b, "nginx answers", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return addr
}

// pairs measures one beside the other in turns; ratio is the median of other to one.
func pairs(b *testing.B, one, other, path string) {
	b.Helper()
	var ratios, rates []float64
	for b.Loop() {
		for range 10 {
			a := throughput(b, one, path, "", 3000)
			o := throughput(b, other, path, "", 3000)
			ratios, rates = append(ratios, o/a), append(rates, o)
		}
	}
	slices.Sort(ratios)
	slices.Sort(rates)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rates[len(rates)/2], "req/s")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}

// BenchmarkBehindNginx sets six servers behind nginx beside six bare ones with the same answers.
func BenchmarkBehindNginx(b *testing.B) {
	ours := six(b, "")
	bare := six(b, ours[0])
	for _, path := range measuredPaths() {
		b.Run("direct"+path, func(b *testing.B) { pairs(b, bare[2], ours[2], path) })
	}
	one, other := behind(b, bare), behind(b, ours)
	for _, path := range measuredPaths() {
		b.Run("nginx"+path, func(b *testing.B) { pairs(b, one, other, path) })
	}
}

// BenchmarkNginxSettings sets nginx with one setting changed beside nginx as it is, before the same six servers.
func BenchmarkNginxSettings(b *testing.B) {
	ours := six(b, "")
	as := behind(b, ours)
	for _, c := range []struct {
		name   string
		change []string
	}{
		{"no-change", nil},
		{"no-log", []string{"access_log ", "access_log off; #"}},
		{"keepalive=256", []string{"keepalive 64;", "keepalive 256;"}},
		{"keepalive=16", []string{"keepalive 64;", "keepalive 16;"}},
		{"worker_processes=1", []string{"worker_processes auto;", "worker_processes 1;"}},
		{"proxy_buffer=16k", []string{"proxy_max_temp_file_size 0;", "proxy_max_temp_file_size 0; proxy_buffer_size 16k; proxy_buffers 8 16k;"}},
		{"proxy_buffering=off", []string{"proxy_max_temp_file_size 0;", "proxy_buffering off;"}},
		{"multi_accept", []string{"worker_connections 4096;", "worker_connections 4096; multi_accept on;"}},
		{"tcp_nodelay-sendfile", []string{"client_max_body_size     64k;", "client_max_body_size 64k; sendfile on; tcp_nopush on;"}},
		{"no-forwarded-headers", []string{
			"proxy_set_header   X-Forwarded-For   $proxy_add_x_forwarded_for;", "",
			"proxy_set_header   X-Forwarded-Proto $client_scheme;", "",
		}},
	} {
		changed := behind(b, ours, c.change...)
		for _, path := range []string{"/info", "/api/randoms?cant=1000"} {
			b.Run(c.name+path, func(b *testing.B) { pairs(b, as, changed, path) })
		}
	}
}
