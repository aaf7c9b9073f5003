package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"balanceo/server/store/storetest"
)

// asServer makes the test binary behave as the command, so that tests can start it, its workers and its
// drawing children as real processes.
const asServer = "SERVER_TEST_RUN"

func TestMain(m *testing.M) {
	storetest.Main()
	switch os.Getenv(asServer) {
	case "":
	case "bare":
		serveBare()
		return
	default:
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){"server": main})
}

// proc is a running server.
type proc struct {
	t      testing.TB
	cmd    *exec.Cmd
	addr   string // host:port
	log    *logBuffer
	exited chan struct{}
	err    error // of Wait, once exited
}

// logBuffer collects output; the test reads it while the process writes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// command makes a command of the server, not started, with a database address where nothing answers.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), asServer+"=1", "MONGO_URL=mongodb://127.0.0.1:1/none", "TMPDIR="+t.TempDir(),
		"GORACE=atexit_sleep_ms=0") // the race detector would let each process sleep for a second at its end
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// startServer starts the server on a listener of the test's and returns when it is ready.
func startServer(t testing.TB, args ...string) *proc {
	t.Helper()
	return startOn(t, listen(t), command(t, args...))
}

func listen(t testing.TB) *net.TCPListener {
	t.Helper()
	ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func startOn(t testing.TB, ln *net.TCPListener, cmd *exec.Cmd) *proc {
	t.Helper()
	socket := descriptor(t, ln)
	defer socket.Close()
	ready, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	cmd.ExtraFiles = []*os.File{socket, theirs}
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "READY_FD=4")
	p := run1(t, cmd, ln.Addr().String())
	_ = theirs.Close()
	_ = ready.SetReadDeadline(time.Now().Add(30 * time.Second))
	if line, err := bufio.NewReader(ready).ReadString('\n'); line != "ready\n" {
		t.Fatalf("not ready: %q, %v; its log:\n%s", line, err, p.log)
	}
	return p
}

// descriptor duplicates the listener's socket. ln.File would do so too, but its result makes os/exec switch the
// socket to blocking mode, in every process that has it.
func descriptor(t testing.TB, ln *net.TCPListener) *os.File {
	t.Helper()
	conn, err := ln.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	dup, dupErr := 0, error(nil)
	if err := conn.Control(func(fd uintptr) { dup, dupErr = syscall.Dup(int(fd)) }); err != nil || dupErr != nil {
		t.Fatal(err, dupErr)
	}
	syscall.CloseOnExec(dup)
	return os.NewFile(uintptr(dup), "listener")
}

// run1 starts the command and sees to its end, and to the end of all that it has started.
func run1(t testing.TB, cmd *exec.Cmd, addr string) *proc {
	t.Helper()
	p := &proc{t: t, cmd: cmd, addr: addr, log: &logBuffer{}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-p.exited
		if t.Failed() {
			t.Logf("log of %q:\n%s", cmd.Args[1:], p.log)
		}
	})
	return p
}

func (p *proc) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the process and returns its exit code.
func (p *proc) end() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("did not end; its log:\n%s", p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}

// send sends a request with a cookie and a form, if there are any, and follows no redirect.
func (p *proc) send(method, path, cookie, form string) (*http.Response, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.addr+path, strings.NewReader(form))
	if err != nil {
		p.t.Fatal(err)
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		p.t.Errorf("%s %s: %v", method, path, err)
		return &http.Response{}, ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Error(err)
	}
	return res, string(body)
}

// get asks over a connection of its own.
func (p *proc) get(path string) (*http.Response, string) {
	p.t.Helper()
	res, body, err := ask(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, http.MethodGet, "http://"+p.addr+path)
	if err != nil {
		p.t.Fatal(err)
	}
	return res, body
}

func ask(c *http.Client, method, url string) (*http.Response, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, "", err
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

// workers are the pids of the children.
func (p *proc) workers() []int {
	p.t.Helper()
	var pids []int
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	if err != nil {
		return nil
	}
	for _, task := range tasks {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", p.cmd.Process.Pid, task.Name()))
		if err != nil {
			continue
		}
		for _, text := range strings.Fields(string(children)) {
			if pid, err := strconv.Atoi(text); err == nil && alive(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// alive tells whether the process lives; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// eventually waits for a condition of the outside world, for which there is no event.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30s: %s", what)
		}
	}
}

func TestFork(t *testing.T) {
	t.Parallel()
	cmd := command(t, "-puerto", "1", "-m", "fork") // an inherited listener beats the port
	cmd.Env = append(cmd.Env, "INSTANCE=site9")
	p := startOn(t, listen(t), cmd)
	_, body := p.get("/info")
	var info struct {
		PID  int      `json:"pid"`
		Mode string   `json:"mode"`
		Port int      `json:"port"`
		Args []string `json:"argumentos_entrada"` //nolint:misspell // it is Spanish
	}
	if err := json.Unmarshal([]byte(body), &info); err != nil {
		t.Fatalf("/info: %v: %s", err, body)
	}
	pid := p.cmd.Process.Pid
	_, port, _ := net.SplitHostPort(p.addr)
	if info.PID != pid || info.Mode != "FORK" || strconv.Itoa(info.Port) != port || len(info.Args) != 4 {
		t.Errorf("/info = %+v, want pid %d, mode FORK, port %s and the four arguments", info, pid, port)
	}
	for _, path := range []string{"/info", "/nothing/here", "/api/randoms?cant=5", "/metrics"} {
		res, _ := p.get(path)
		if got := res.Header.Get("X-Instance"); got != "site9" {
			t.Errorf("X-Instance of %s = %q, want site9", path, got)
		}
		if got := res.Header.Get("X-Worker"); got != strconv.Itoa(pid) {
			t.Errorf("X-Worker of %s = %q, want %d", path, got, pid)
		}
	}
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code after TERM = %d, want 0; log:\n%s", code, p.log)
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"FORK", "CLUSTER"} {
		p := run1(t, command(t, "-p", "0", "--host", "::1", "-m", mode), "")
		eventually(t, "it serves", func() bool { return strings.Contains(p.log.String(), "msg=serving") })
		_, rest, _ := strings.Cut(p.log.String(), "address=")
		p.addr, _, _ = strings.Cut(strings.TrimPrefix(rest, `"`), " ")
		p.addr = strings.Trim(p.addr, `"`)
		if res, _ := p.get("/info"); res.StatusCode != http.StatusOK || !strings.HasPrefix(p.addr, "[::1]:") {
			t.Errorf("%s on %s: /info %s", mode, p.addr, res.Status)
		}
	}
}

func TestUnreadableRequestIsSigned(t *testing.T) {
	t.Parallel()
	p := startServer(t)
	for _, tt := range []struct{ request, status string }{
		{"nonsense\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 20_000) + "\r\n\r\n", "431"},
		{"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", "413"},
	} {
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, tt.request); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("answer to %.40q: %v", tt.request, err)
			continue
		}
		_ = res.Body.Close()
		_ = conn.Close()
		if !strings.HasPrefix(res.Status, tt.status) || res.Header.Get("X-Worker") == "" || res.Header.Get("X-Instance") == "" {
			t.Errorf("answer to %.40q = %s with %v, want %s with X-Worker and X-Instance", tt.request, res.Status, res.Header, tt.status)
		}
	}
}

func TestTermFinishesWhatIsBeingAnswered(t *testing.T) {
	t.Parallel()
	p := startServer(t, "--test-delay", "300ms")
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /info HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	// One more connection that never says anything must not hold up the end.
	silent, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	time.Sleep(100 * time.Millisecond) // in the middle of the answer
	p.signal(syscall.SIGTERM)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("answer during the drain: %v", err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("answer during the drain: %s, close %v, %v; want 200 and Connection: close", res.Status, res.Close, err)
	}
	if code := p.end(); code != 0 {
		t.Errorf("exit code = %d, want 0; log:\n%s", code, p.log)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	for _, mode := range []string{"FORK", "CLUSTER"} {
		p := run1(t, command(t, "-p", port, "--modo", mode), "")
		code := p.end()
		want := fmt.Sprintf("port %s is taken by pid %d", port, os.Getpid())
		if lines := strings.Split(strings.TrimSpace(p.log.String()), "\n"); code != 1 || len(lines) != 2 ||
			!strings.Contains(lines[0], want) || !strings.HasPrefix(lines[1], "hint: ") {
			t.Errorf("%s on a taken port: exit code %d and\n%s\nwant 1, %q and a hint", mode, code, p.log, want)
		}
	}
}

// What is for those who watch the process has one name, which a balancer in front can refuse.
func TestWatchedByNameOnly(t *testing.T) {
	t.Parallel()
	p := startServer(t)
	for path, want := range map[string]int{
		"/healthz": 200, "/metrics": 200, "/healthz?x=1": 200, "/metrics?x#y": 200,
		"//metrics": 404, "/x/../metrics": 404, "/%6detrics": 404, "/%2fmetrics": 404, "/a/..%2fmetrics": 404, "/./healthz": 404,
		"/%68ealthz": 404, "//healthz?x": 404, "/metrics#x": 404, "http://x/metrics": 404,
	} {
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("GET %s: %v", path, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Errorf("GET %s: %v", path, err)
		}
		_ = conn.Close()
		if res.StatusCode != want || res.Header.Get("X-Worker") == "" || want == 404 && string(body) != "Not Found\n" {
			t.Errorf("GET %s: got %s %v %.60q, want %d, signed", path, res.Status, res.Header, body, want)
		}
	}
}
