//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"balanceo/server/store/storetest"
	"balanceo/topology/ports"
)

func TestMain(m *testing.M) {
	storetest.Main()
	os.Exit(m.Run())
}

// limit bounds one step. It is long: steps wait for events.
const limit = 30 * time.Second

// build makes the server's program once for all tests.
func build(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", program, "balanceo/server").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// instance is one server by hand, as a user starts it.
type instance struct {
	t       testing.TB
	program string
	dir     string
	port    string
	env     []string
	cmd     *exec.Cmd
	log     *bytes.Buffer
}

// serve starts a server in dir, which shares its database with the others there.
func serve(t testing.TB, program, dir string, env ...string) *instance {
	t.Helper()
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	s := &instance{t: t, program: program, dir: dir, port: strconv.Itoa(port), env: env}
	s.start()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("server on %s said:\n%s", s.port, s.log)
		}
	})
	return s
}

func (s *instance) url() string { return "http://127.0.0.1:" + s.port }

// start starts the process and waits until it answers and has its database.
func (s *instance) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, "-p", s.port)
	s.cmd.Dir = s.dir
	s.log = &bytes.Buffer{}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.Env = append(os.Environ(), append([]string{"MONGO_URL="}, s.env...)...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	var last error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(s.url() + "/healthz")
		if err != nil {
			last = err
			continue
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if strings.Contains(body.String(), `"available"`) {
			return
		}
		last = fmt.Errorf("/healthz says %s", body.String())
	}
	s.t.Fatalf("server on %s does not become ready: %v", s.port, last)
}

// stop ends the process as an operator does.
func (s *instance) stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(limit, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	_ = s.cmd.Wait()
}
