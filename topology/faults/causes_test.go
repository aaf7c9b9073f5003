//go:build e2e

package faults

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"balanceo/topology/layout"
)

// smallDisk puts the layout's folder on a file system of its own.
func smallDisk(r *rig) {
	dir := r.path("run")
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=96m"); err != nil {
		r.Fatalf("a disk of its own: %v", err)
	}
	r.Cleanup(func() {
		r.end() // while its folder can still be seen
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			r.Errorf("unmount: %v", err)
		}
	})
}

// fillDisk writes until nothing fits any more.
func fillDisk(r *rig) func() {
	ballast := r.path("run/ballast")
	f, err := os.Create(ballast)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10, 1} {
		block := make([]byte, size)
		for err = nil; err == nil; _, err = f.Write(block) {
		}
		if !errors.Is(err, syscall.ENOSPC) {
			r.Fatalf("filling the disk: %v", err)
		}
	}
	return func() {
		if err := os.Remove(ballast); err != nil {
			r.Error(err)
		}
	}
}

// exhaust leaves an instance no descriptor beyond those that it has open.
func exhaust(name string) func(*rig) func() {
	return func(r *rig) func() {
		pid := r.part(name).PID
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			r.Fatal(err)
		}
		var before unix.Rlimit
		err = unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before)
		few := unix.Rlimit{Cur: uint64(len(open)), Max: before.Max}
		if err = errors.Join(err, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &few, nil)); err != nil {
			r.Fatalf("descriptors of %s: %v", name, err)
		}
		return func() { _ = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil) } // it may have been replaced
	}
}

// crashLoop lets serverA end as soon as it starts, and reloads everything meanwhile. The others are reloaded, and
// serverA is named.
func crashLoop(r *rig) func() {
	r.write("serverA.env", "CANT_MAX=many\n")
	r.signal(r.part("serverA").PID, syscall.SIGKILL)
	out, err := r.command("topology", "reload").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "serverA") || strings.Count(string(out), " reloaded in ") != 5 {
		r.Errorf("reload while serverA can't start: %v: %s", err, out)
	}
	return func() { r.write("serverA.env", "") }
}

// downDuringUp takes the layout down at several moments of its start. Nothing may be left each time.
func downDuringUp(r *rig) func() {
	for _, after := range []time.Duration{0, 50, 100, 200, 300, 500, 800} {
		up := r.command("topology", r.upArgs()...)
		var said strings.Builder
		up.Stdout, up.Stderr = &said, &said
		if err := up.Start(); err != nil {
			r.Fatal(err)
		}
		time.Sleep(after * time.Millisecond) //nolint:durationcheck // a number of them
		out, err := r.command("topology", "down").CombinedOutput()
		if err != nil {
			r.Errorf("down %d ms after up: %v: %s", after, err, out)
		}
		upErr := up.Wait()
		if strings.Contains(string(out), "Nothing to take down") { // it was too early, and the layout comes up
			if upErr != nil {
				r.Errorf("up, %d ms before a down that found nothing: %v: %s", after, upErr, said.String())
			}
			if out, err := r.command("topology", "down").CombinedOutput(); err != nil {
				r.Errorf("down after up: %v: %s", err, out)
			}
		}
		if left := r.processes(); len(left) > 0 {
			r.Errorf("%d ms: down and up leave %v", after, left)
		}
	}
	return nil
}

// twoUps starts the layout twice at once. One of them does, the other one says so.
func twoUps(r *rig) func() {
	var both sync.WaitGroup
	said := make([]string, 2)
	failed := make([]error, 2)
	for i := range said {
		both.Go(func() {
			out, err := r.command("topology", r.upArgs()...).CombinedOutput()
			said[i], failed[i] = string(out), err
		})
	}
	both.Wait()
	r.said = append(r.said, said...)
	for i := range said {
		fine := failed[i] == nil || strings.Contains(said[i], "is being started") || strings.Contains(said[i], "runs on :")
		if !fine || failed[0] != nil && failed[1] != nil {
			r.Errorf("up at the same time as another: %v: %s", failed[i], said[i])
		}
	}
	return nil
}

// brokenConf makes nginx.conf invalid and lets it be read. That is refused, with the line.
func brokenConf(r *rig) func() {
	file := r.path("nginx.conf")
	good, err := os.ReadFile(file)
	if err != nil {
		r.Fatal(err)
	}
	r.write("nginx.conf", strings.Replace(string(good), "max_fails=0;", "max_fails=zero;", 1))
	for _, args := range [][]string{{"reload", "nginx"}, {"restart", "nginx"}} {
		out, err := r.command("topology", args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "nginx.conf:") {
			r.Errorf("%v of a broken nginx.conf: %v: %s", args, err, out)
		}
	}
	return func() {
		r.write("nginx.conf", string(good))
		command("reload", "nginx")(r)
	}
}

// cut lets no packet reach the port of an instance, nor come from there.
func cut(name string) func(*rig) func() {
	return func(r *rig) func() {
		port := strconv.Itoa(r.part(name).Port)
		rule := func(verb, which string) {
			out, err := exec.Command("iptables", verb, "INPUT", "-p", "tcp", which, port, "-j", "DROP").CombinedOutput()
			if err != nil {
				r.Errorf("iptables: %v: %s", err, out)
			}
		}
		rule("-A", "--dport")
		rule("-A", "--sport")
		return func() {
			rule("-D", "--dport")
			rule("-D", "--sport")
		}
	}
}

// processes are those that work in the rig's folder.
func (r *rig) processes() []string {
	r.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		r.Fatal(err)
	}
	var left []string
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			continue // it has ended
		}
		text, _ := io.ReadAll(f)
		f.Close()
		if strings.Contains(string(text), layout.EnvRun+"="+r.path("run")+"\x00") {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			left = append(left, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return left
}
