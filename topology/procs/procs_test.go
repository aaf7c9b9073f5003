package procs

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"
)

func TestRead(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	table, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	own := table[os.Getpid()]
	if own.Parent != os.Getppid() || own.RSS < 1<<20 || own.Group == 0 {
		t.Errorf("this process: got %+v, want parent %d and some memory", own, os.Getppid())
	}
	if children := table.Children(os.Getpid()); !slices.Contains(children, cmd.Process.Pid) {
		t.Errorf("Children(%d): got %v, want %d among them", os.Getpid(), children, cmd.Process.Pid)
	}
	in := false
	for _, p := range table.Group(own.Group) {
		in = in || p.PID == cmd.Process.Pid
	}
	if !in {
		t.Errorf("Group(%d) lacks the child %d", own.Group, cmd.Process.Pid)
	}
	// A zombie lives no more.
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for {
		if table, err = Read(); err != nil {
			t.Fatal(err)
		}
		if _, ok := table[cmd.Process.Pid]; !ok {
			break
		}
	}
}

func TestConnections(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	port := ln.Addr().(*net.TCPAddr).Port
	for range 2 {
		c, err := net.Dial("tcp4", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	if count, err := Connections(); err != nil || count[port] != 2 {
		t.Errorf("Connections: got %d to port %d, %v, want 2", count[port], port, err)
	}
}
