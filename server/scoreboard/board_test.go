package scoreboard

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"
)

// childPath makes the test binary a worker that joins the board at the path and counts three requests.
const childPath = "SCOREBOARD_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(limitVar); path != "" {
		if err := openWithoutSpace(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	path := os.Getenv(childPath)
	if path == "" {
		os.Exit(m.Run())
	}
	b, err := Open(path, testRoutes)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s, err := b.Join()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for range 3 {
		s.Count([]byte("/info"), []byte("GET"), 200)
	}
	s.AddOpen(2)
	s.AddDraws(10)
	fmt.Println("counted")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until it is killed, or told to end
}

var testRoutes = []string{"/", "/info", "/static"}

// child is a worker that has counted; kill ends it as kill -9 does.
type child struct {
	cmd  *exec.Cmd
	kill func()
}

// childCommand is a command of this test binary, not started.
func childCommand(variable string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func startChild(t *testing.T, path string) child {
	t.Helper()
	cmd := childCommand(childPath + "=" + path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := child{cmd: cmd, kill: sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = in.Close()
	})}
	t.Cleanup(c.kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "counted\n" {
		t.Fatalf("child: %q, %v", line, err)
	}
	return c
}

func open(t *testing.T, path string) *Slot {
	t.Helper()
	b, err := Open(path, testRoutes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	s, err := b.Join()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// has reports each wanted line that the metrics lack.
func has(t *testing.T, s *Slot, lines ...string) {
	t.Helper()
	got := string(s.AppendMetrics(nil))
	for _, line := range lines {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("metrics lack %s:\n%s", line, got)
		}
	}
}

func TestOthersAreCountedToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "scores")
	first, second := startChild(t, path), startChild(t, path)
	s := open(t, path)
	s.Count([]byte("/info"), []byte("POST"), 404)
	has(t, s,
		`balanceo_requests_total{route="/info",method="GET",code="2xx"} 6`,
		`balanceo_requests_total{route="/info",method="POST",code="4xx"} 1`,
		fmt.Sprintf(`balanceo_worker_requests_total{pid="%d"} 3`, first.cmd.Process.Pid),
		fmt.Sprintf(`balanceo_worker_requests_total{pid="%d"} 1`, os.Getpid()),
		"balanceo_workers 3", "balanceo_open_connections 4", "balanceo_draws_total 20")
	first.kill()
	has(t, s,
		`balanceo_requests_total{route="/info",method="GET",code="2xx"} 6`,
		fmt.Sprintf(`balanceo_worker_requests_total{pid="%d"} 3`, first.cmd.Process.Pid),
		fmt.Sprintf(`balanceo_worker_requests_total{pid="%d"} 3`, second.cmd.Process.Pid),
		"balanceo_workers 2", "balanceo_open_connections 2", "balanceo_draws_total 20")
}

func TestSlotsOfTheDeadAreFolded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	startChild(t, path).kill()
	s := open(t, path)
	// All other slots were used by workers that are dead now, each with one request.
	for i := 1; i < slotCount; i++ {
		w := s.board.slot(i)
		if w != s.words && w[wordPID] == 0 {
			w[wordPID], w[wordStarted], w[wordCounters] = uint64(1_000_000+i), uint64(i), 1
		}
	}
	before := requests(s)
	next := open(t, path)
	if after := requests(next); after != before {
		t.Errorf("%d requests after a slot was folded, want %d", after, before)
	}
	has(t, next, `balanceo_worker_requests_total{pid="0"} 1`)
}

// requests sums up what is counted.
func requests(s *Slot) (sum uint64) {
	for i := range slotCount {
		for w := wordCounters; w < slotWords; w++ {
			sum += s.board.slot(i).load(w)
		}
	}
	return sum
}

func TestEverySlotInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	var last error
	for range slotCount { // each board has a descriptor of its own, and so stands for a process of its own
		b, err := Open(path, testRoutes)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if _, last = b.Join(); last != nil {
			break
		}
	}
	if last == nil || !strings.Contains(last.Error(), "all 511 slots are in use") {
		t.Errorf("Join of one too many: %v, want that all are in use", last)
	}
}

func TestUnusableIsReplaced(t *testing.T) {
	good := filepath.Join(t.TempDir(), "scores")
	s := open(t, good)
	s.Count([]byte("/info"), []byte("GET"), 200)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(whole)
	other[len(magic)]++
	for _, tt := range []struct {
		name    string
		content []byte
		log     string
	}{
		{"empty", nil, "it has 0 bytes"},
		{"half", whole[:len(whole)/2], "bytes, not"},
		{"zeros", make([]byte, len(whole)), "it does not begin as one"},
		{"other routes", other, "it counts other routes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "scores")
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			log := captureLog(t)
			s := open(t, path)
			if !strings.Contains(log.String(), tt.log) {
				t.Errorf("log = %q, want %q in it", log, tt.log)
			}
			if n := requests(s); n != 0 {
				t.Errorf("%d requests on a new board, want 0", n)
			}
			s.Count([]byte("/info"), []byte("GET"), 200)
			if n := requests(open(t, path)); n != 1 {
				t.Errorf("%d requests on the replaced board opened again, want 1", n)
			}
		})
	}
}

func captureLog(t *testing.T) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&b, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &b
}

func TestManyCreateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			b, err := Open(path, testRoutes)
			if err != nil {
				t.Error(err)
				return
			}
			defer b.Close()
			s, err := b.Join()
			if err != nil {
				t.Error(err)
				return
			}
			s.Count([]byte("/"), []byte("GET"), 302)
		})
	}
	all.Wait()
	if n := requests(open(t, path)); n != 16 {
		t.Errorf("%d requests counted by 16 that opened the board at once, want 16", n)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 2 {
		t.Errorf("the folder holds %v, want the board and its lock", entries)
	}
}

func TestRoutesAndMethods(t *testing.T) {
	l := newLabels(testRoutes)
	for path, want := range map[string]string{
		"/": "/", "/info": "/info", "/info/x": "/info", "/infox": RouteOther, "/static/a.css": "/static",
		"/staticx": RouteOther, "": RouteOther, "other": RouteOther, "/metrics": RouteMetrics, "//": RouteOther,
	} {
		if got := l.routes[l.route([]byte(path))]; got != want {
			t.Errorf("route of %q = %q, want %q", path, got, want)
		}
	}
	for name, want := range map[string]string{"GET": "GET", "POST": "POST", "HEAD": "HEAD", "PUT": "other", "": "other", "other": "other"} {
		if got := methodNames()[method([]byte(name))]; got != want {
			t.Errorf("method of %q = %q, want %q", name, got, want)
		}
	}
	last := l.counter(len(l.routes)-1, methodCount-1, 599)
	for status, class := range map[int]int{101: 0, 200: 1, 302: 2, 404: 3, 500: 4, 0: 0, 999: 4} {
		if got, want := l.counter(len(l.routes)-1, methodCount-1, status), last-4+class; got != want {
			t.Errorf("counter of status %d = %d, want %d", status, got, want)
		}
	}
	if want := wordCounters + l.counters() - 1; last != want {
		t.Errorf("the last counter is %d, want %d", last, want)
	}
}

func TestTooManyRoutes(t *testing.T) {
	var routes []string
	for i := range 100 {
		routes = append(routes, fmt.Sprintf("/%d", i))
	}
	if _, err := Open("", routes); err == nil {
		t.Error("Open with 100 routes = nil, want an error")
	}
}

func TestCountingCostsNoAllocation(t *testing.T) {
	s := open(t, "")
	path, get := []byte("/static/app.js"), []byte("GET")
	if n := testing.AllocsPerRun(100, func() { s.Count(path, get, 200) }); n != 0 {
		t.Errorf("counting allocates %v times, want 0", n)
	}
}

func TestCountingMiddleware(t *testing.T) {
	s := open(t, "")
	h := s.Counting(func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(fasthttp.StatusTeapot) }, nil)
	for _, path := range []string{"/info", RouteMetrics, RouteMetrics} {
		var ctx fasthttp.RequestCtx
		ctx.Request.SetRequestURI(path)
		h(&ctx)
		if path == RouteMetrics && string(ctx.Response.Header.ContentType()) != ContentType {
			t.Errorf("content type of %s = %q", path, ctx.Response.Header.ContentType())
		}
	}
	has(t, s,
		`balanceo_requests_total{route="/info",method="GET",code="4xx"} 1`,
		`balanceo_requests_total{route="/metrics",method="GET",code="2xx"} 2`)
}

func BenchmarkCount(b *testing.B) {
	board, err := Open("", testRoutes)
	if err != nil {
		b.Fatal(err)
	}
	defer board.Close()
	s, err := board.Join()
	if err != nil {
		b.Fatal(err)
	}
	path, get := []byte("/info"), []byte("GET")
	b.ReportAllocs()
	for b.Loop() {
		s.Count(path, get, 200)
	}
}
