// Package balancertest is what every balancer has to show: Run starts its real program in front of servers whose
// answers the test controls, and looks at what clients, servers and the log see.
package balancertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/ports"
)

// Rig is a balancer that runs in front of servers.
type Rig struct {
	balancer.Balancer
	Site    *balancer.Site
	Conf    *balancer.Config
	URL     string
	Servers []*Server
	process *exec.Cmd
	ended   chan error // gets what Wait says, once
	out     *bytes.Buffer
}

// Program finds the balancer's binary. It fails the test where there is none: .ci/need installs it.
func Program(t *testing.T, b balancer.Balancer) string {
	t.Helper()
	for _, name := range b.Programs() {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed; .ci/need %s installs it", b.Name(), b.Name())
	return ""
}

// Start runs the balancer with a source in which the servers have the ports 1, 2, 3 … and the balancer 80, until
// the test is over.
func Start(t *testing.T, b balancer.Balancer, source string, servers ...*Server) *Rig {
	t.Helper()
	return StartIn(t, t.TempDir(), b, source, servers...)
}

// StartIn is Start in a folder that may hold something already.
func StartIn(t *testing.T, dir string, b balancer.Balancer, source string, servers ...*Server) *Rig {
	t.Helper()
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	r := &Rig{
		Balancer: b, Servers: servers, URL: "http://127.0.0.1:" + strconv.Itoa(port), out: &bytes.Buffer{},
		Site: &balancer.Site{
			Program: Program(t, b), Source: filepath.Join(dir, "nginx.conf.source"), Dir: dir, File: filepath.Join(dir, b.Name()+".conf"),
			Move: balancer.Move{Listen: map[int]int{80: port}, Servers: map[int]int{}},
		},
	}
	for i, s := range servers {
		r.Site.Move.Servers[i+1] = s.port()
	}
	if err := os.WriteFile(r.Site.Source, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Write(t)
	r.process = b.Command(r.Site)
	r.process.Stdout, r.process.Stderr = r.out, r.out
	r.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.process.Start(); err != nil {
		t.Fatal(err)
	}
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.process.Wait() }()
	t.Cleanup(func() { r.stop(t) })
	for {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.URL, "http://"))
		if err == nil {
			_ = c.Close()
			return r
		}
		select {
		case err := <-r.ended:
			r.ended <- err
			t.Fatalf("%s ended: %v\n%s", b.Name(), err, r.out)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop ends the balancer by TERM, as supervise does, and waits until nothing of its process group is left.
func (r *Rig) stop(t *testing.T) {
	pid := r.process.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGTERM)
	select {
	case <-r.ended: //nolint:errcheck // TERM ends it, in whatever way
	case <-time.After(20 * time.Second):
		t.Errorf("%s does not end within 20s of TERM\n%s", r.Name(), r.out)
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		<-r.ended //nolint:errcheck // it was killed
	}
	for deadline := time.Now().Add(10 * time.Second); syscall.Kill(-pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%s left processes behind", r.Name())
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			return
		}
	}
	r.Site.Clean()
	if t.Failed() {
		log, _ := os.ReadFile(filepath.Join(r.Site.Dir, "error.log")) // where it has one
		t.Logf("%s said:\n%s%s", r.Name(), r.out, log)
	}
}

// Write writes and checks the site's configuration.
func (r *Rig) Write(t *testing.T) {
	t.Helper()
	conf, err := r.Balancer.Write(r.Site, r.Site.File)
	if err == nil {
		err = r.Check(t.Context(), r.Site, r.Site.File)
	}
	if err == nil {
		err = r.Promise(t.Context(), r.Site, conf)
	}
	if err != nil {
		text, _ := os.ReadFile(r.Site.File)
		t.Fatalf("%v\n%s", err, text)
	}
	r.Conf = conf
}

// Renew changes the site and lets the balancer read it.
func (r *Rig) Renew(t *testing.T, change func(*balancer.Site)) {
	t.Helper()
	change(r.Site)
	r.Write(t)
	if err := r.Reload(t.Context(), r.Site, r.process.Process.Pid); err != nil {
		t.Fatal(err)
	}
}

// Agent names the client of these tests.
const Agent = "balancertest"

// Client sends to the balancer, over at most n connections; 0 makes a connection for each request.
func (r *Rig) Client(t *testing.T, n int) *http.Client {
	transport := &http.Transport{MaxConnsPerHost: n, MaxIdleConnsPerHost: n, DisableKeepAlives: n == 0}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// Answer is the head of an answer.
type Answer struct {
	Status int
	Header http.Header
}

// Get sends one request and returns the answer, when its body is read. As HTTP has it (RFC 9112, 9.3.1), one is sent again
// if a connection that was kept for it turns out to have been closed.
func (r *Rig) Get(client *http.Client, path string, header ...string) (Answer, error) {
	kept := false
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { kept = c.Reused }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), http.MethodGet, r.URL+path, nil)
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("User-Agent", Agent)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if kept && errors.Is(err, syscall.ECONNRESET) {
		resp, err = client.Do(req)
	}
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return Answer{resp.StatusCode, resp.Header}, err
}

// Split sends n requests over that many connections at once and counts the answers by X-Upstream.
func (r *Rig) Split(t *testing.T, n, connections int, path string) map[string]int {
	t.Helper()
	return r.SplitBy(r.Client(t, connections), n, connections, path)
}

// SplitBy is Split with a client that has connections already.
func (r *Rig) SplitBy(client *http.Client, n, connections int, path string) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	counts := map[string]int{}
	var left atomic.Int64
	left.Store(int64(n))
	for range max(connections, 1) {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				answer, err := r.Get(client, path)
				mu.Lock()
				switch {
				case err != nil:
					counts["error: "+err.Error()]++
				case answer.Status != http.StatusOK:
					counts[fmt.Sprintf("status %d", answer.Status)]++
				default:
					tried := strings.Split(answer.Header.Get("X-Upstream"), ", ")
					counts[tried[len(tried)-1]]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return counts
}

// Line is one line of the access log.
type Line struct {
	Msec        float64 `json:"msec"`
	RequestTime float64 `json:"request_time"`
	Method      string  `json:"method"`
	URI         string  `json:"uri"`
	Status      int     `json:"status"`
	Group       string  `json:"upstream_group"`
	Addr        string  `json:"upstream_addr"`
	HeaderTime  string  `json:"upstream_header_time"`
	UserAgent   string  `json:"user_agent"`
	RequestID   string  `json:"request_id"`
}
