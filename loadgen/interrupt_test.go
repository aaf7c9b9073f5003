package main

import (
	"bufio"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSecondInterrupt ends a process that waits for the answers of a server that gives none.
func TestSecondInterrupt(t *testing.T) {
	s := &site{}
	s.manner.Store("hanging")
	srv := httptest.NewServer(s)
	defer srv.Close()
	out := t.TempDir()
	cmd := exec.Command("loadgen", "-rate", "50", "-target", srv.URL, "-duration", "1h", "-warmup", "0s", "-quiet", "-out", out)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	for ; s.requests.Load() < 5; time.Sleep(5 * time.Millisecond) {
		if cmd.Process.Signal(syscall.Signal(0)) != nil {
			t.Fatal("loadgen ended by itself")
		}
	}
	interrupt := func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	interrupt()
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "once more") {
			interrupt()
			break
		}
	}
	err = cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("after the second interrupt loadgen ended with %v, want the signal", err)
	}
	if files, err := os.ReadDir(out); err != nil || len(files) > 0 {
		t.Errorf("records: %v, %v, want none", files, err)
	}
}
