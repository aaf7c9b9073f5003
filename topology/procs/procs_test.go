package procs

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
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
	some, err := Groups([]int{own.Group})
	if err != nil || some[cmd.Process.Pid].Group != own.Group || some[own.PID].RSS < 1<<20 {
		t.Errorf("Groups(%d): got %+v, %v, want both processes", own.Group, some, err)
	}
	if some, err = Groups(nil); runtime.GOOS == "linux" && (err != nil || len(some) > 0) {
		t.Errorf("Groups of nobody: got %+v, %v", some, err)
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

func BenchmarkRead(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConnections(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Connections(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGroups(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Groups([]int{syscall.Getpgrp()}); err != nil {
			b.Fatal(err)
		}
	}
}
