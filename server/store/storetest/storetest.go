// Package storetest runs embedded databases for tests.
package storetest

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"balanceo/server/database"
	"balanceo/server/store"
)

// command is the first argument that makes a test binary a database process; see Main.
const command = "storetest-database"

// Main is to be called by TestMain, before anything else: started by Command, the test binary serves a database
// instead of running tests.
func Main() {
	if len(os.Args) < 2 || os.Args[1] != command {
		return
	}
	flags := flag.NewFlagSet(command, flag.ExitOnError)
	dir := flags.String("dir", "", "")
	listen := flags.String("listen", "127.0.0.1:0", "")
	idle := flags.Duration("idle-exit", 0, "")
	if err := flags.Parse(os.Args[2:]); err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	address, err := postgres(os.Getenv(envPostgres), *dir)
	if err == nil {
		err = database.Serve(ctx, database.Config{
			Dir: *dir, Listen: *listen, IdleExit: *idle, Postgres: address,
			Ready: func(url string) { fmt.Println(url) },
		})
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Command is a database process of this test binary, whose TestMain calls Main.
func Command(dir, listen string, idleExit time.Duration) *exec.Cmd {
	return exec.CommandContext(context.Background(), os.Args[0], command, "-dir", dir, "-listen", listen, "-idle-exit", idleExit.String())
}

// Process is a running database process.
type Process struct {
	URL string
	Dir string
	cmd *exec.Cmd
}

// Start starts a database process on dir and waits until it answers. It ends with the test.
func Start(t testing.TB, dir, listen string) *Process {
	t.Helper()
	cmd := Command(dir, listen, 0)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Process{Dir: dir, cmd: cmd}
	t.Cleanup(p.Kill)
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("database process on %q said nothing: %v", dir, err)
	}
	p.URL = strings.TrimSpace(url)
	return p
}

// PID is the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process uncleanly and waits for its end. It may be called again.
func (p *Process) Kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// Signal sends the process a signal, as SIGSTOP.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Halt stops the process as SIGSTOP does, and returns when all its threads have stopped; Signal with SIGCONT
// lets it go on.
func (p *Process) Halt(t testing.TB) {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	tasks := fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		running := 0
		files, _ := filepath.Glob(tasks)
		for _, file := range files {
			// pid (name) state …
			stat, err := os.ReadFile(file)
			if _, rest, ok := strings.Cut(string(stat), ") "); err == nil && (!ok || !strings.HasPrefix(rest, "T")) {
				running++
			}
		}
		if running == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d threads of the database have not stopped", running)
		}
	}
}

// Addr is the host and port of the database.
func (p *Process) Addr() string {
	_, rest, _ := strings.Cut(p.URL, "//")
	addr, _, _ := strings.Cut(rest, "/")
	return addr
}

// starting is held while a database starts in this process: FerretDB sets a variable of its package then.
var starting sync.Mutex //nolint:gochecknoglobals // it guards a global variable

// Run serves a database in this process until the test ends and returns its address.
func Run(t testing.TB) string {
	t.Helper()
	return RunOn(t, os.Getenv(envPostgres))
}

// RunOn is Run with the data in the PostgreSQL at that address; empty: in a folder.
func RunOn(t testing.TB, server string) string {
	t.Helper()
	starting.Lock()
	defer starting.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	dir := t.TempDir()
	address, err := postgres(server, dir)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		done <- database.Serve(ctx, database.Config{
			Dir: dir, Postgres: address, Listen: "127.0.0.1:0", Ready: func(url string) { ready <- url },
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("embedded database: %v", err)
		}
	})
	select {
	case url := <-ready:
		return url
	case err := <-done:
		done <- err
		t.Fatalf("embedded database: %v", err)
	}
	panic("unreachable")
}

// Open opens the database at url until the test ends.
func Open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}
