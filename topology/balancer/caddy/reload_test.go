package caddy

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/balancertest"
)

// A reload is over when nothing of the configuration before accepts connections any more. The admin API here says so at
// the third time that it is asked.
func TestReloadWaits(t *testing.T) {
	s := &balancer.Site{Dir: t.TempDir()}
	s.File = filepath.Join(s.Dir, "caddy.json")
	if err := os.WriteFile(s.File, []byte(`{"apps":{"http":{"servers":{"front":{"listen":["tcp/127.0.0.1:80"]}}}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := new(net.ListenConfig).Listen(t.Context(), "unix", s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	admin := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // a test's own
		if r.URL.Path == "/load" {
			return
		}
		old := 1 // of the two on the port
		if asked.Add(1) < 3 {
			old = 2
		}
		fmt.Fprintf(w, `goroutine profile: total 9
%d @ 0x440316 0x438b17 0x471c61
#	0x438b16	internal/poll.runtime_pollWait+0x96	runtime/netpoll.go:305
#	0x76e4a4	net/http.(*Server).Serve+0x384		net/http/server.go:3070

1 @ 0x440316 0x438b17 0x471c61
#	0x76e4a4	net/http.(*Server).Serve+0x384		net/http/server.go:3070

5 @ 0x440316
#	0x76e4a4	net/http.(*conn).serve+0x384		net/http/server.go:2000
`, old)
	})}
	ended := make(chan error, 1)
	go func() { ended <- admin.Serve(ln) }()
	defer func() { _ = admin.Close(); <-ended }()
	if err := (Caddy{}).Reload(t.Context(), s, 0); err != nil || asked.Load() != 3 {
		t.Errorf("Reload: %v after %d questions, want none after 3", err, asked.Load())
	}
}

// What is counted in a Caddy that runs is what its configuration has.
func TestAccepting(t *testing.T) {
	r := balancertest.Start(t, Caddy{}, balancertest.Source([]int{1}, 1), balancertest.NewServer(t), balancertest.NewServer(t))
	text, err := os.ReadFile(r.Site.File)
	if err != nil {
		t.Fatal(err)
	}
	want, err := listeners(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := accepting(t.Context(), r.Site); err != nil || got != want {
		t.Errorf("%d listeners accept (%v), want %d", got, err, want)
	}
}

// Requests over new connections are lost at a reload where the kernel does not move what waits, and none where it does: each
// is tried in a network of its own.
func TestReloadListensAnew(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network of its own needs root")
	}
	for _, moved := range []string{"0", "1"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReloadApart$", "-test.v")
		cmd.Env = append(os.Environ(), apart+"="+moved)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("tcp_migrate_req %s: %v\n%s", moved, err, out)
		}
	}
}

// apart is set to what tcp_migrate_req is to be, in a process that has a network of its own.
const apart = "BALANCEO_CADDY_APART"

func TestReloadApart(t *testing.T) {
	moved := os.Getenv(apart)
	if moved == "" {
		t.Skip("it is a part of TestReloadListensAnew")
	}
	if out, err := exec.CommandContext(t.Context(), "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_migrate_req", []byte(moved), 0); err != nil {
		t.Fatal(err)
	}
	r := balancertest.Start(t, Caddy{}, balancertest.Source([]int{1}, 1), balancertest.NewServer(t), balancertest.NewServer(t))
	total, reloads := 0, 0
	for ; reloads < 120 && (moved == "1" || total == 0); reloads += 10 {
		for _, n := range r.Reloads(t, 10) {
			total += n
		}
	}
	if moved == "0" && total == 0 || moved == "1" && total > reloads {
		t.Errorf("tcp_migrate_req %s: %d lost at %d reloads", moved, total, reloads)
	}
	if newer := strings.Contains(modules(t), weighted); moved == "1" && total > 0 && !newer {
		t.Errorf("2.6.2: %d lost at %d reloads though what waits is moved", total, reloads)
	}
}
