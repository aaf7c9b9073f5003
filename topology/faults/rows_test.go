//go:build e2e

package faults

import (
	"strings"
	"syscall"
	"time"

	"balanceo/topology/procs"
	"balanceo/topology/status"
)

// frozen is how long something stands still.
const frozen = 10 * time.Second

func rows() []row {
	worker := func(p status.Part) int { return p.Workers[0] }
	first := func(p status.Part) int { return p.PID }
	group := func(p status.Part) int { return -p.PID }
	return []row{
		{name: "worker of site1 -9", short: true, fault: kill("site1", worker), says: `site1: .*worker.*killed`},
		{name: "FORK serverA -9", short: true, fault: kill("serverA", first), says: `topology: serverA: starting again: signal: killed`},
		{name: "CLUSTER site1, master -9", short: true, fault: kill("site1", first), says: `topology: site1: starting again: signal: killed`},
		{name: "CLUSTER site1, all its processes -9", fault: kill("site1", group), says: `topology: site1: starting again: signal: killed`},
		{name: "worker of site1 frozen", lasts: frozen, fault: freeze("site1", worker), says: `site1: .*does not answer`},
		{name: "FORK serverA frozen", lasts: frozen, fault: freeze("serverA", first), says: `serverA: unresponsive: no sign of life`},
		{name: "CLUSTER site1, master frozen", lasts: frozen, fault: freeze("site1", first), says: `topology: site1: its master, pid \d+, stands still`},
		{name: "CLUSTER site1, all its processes frozen", lasts: frozen, fault: freeze("site1", group), says: `site1: unresponsive: no sign of life`},
		{name: "database frozen", lasts: frozen, fault: freeze("database", first), says: `database does not answer`},
		{name: "database -9 while products are added", short: true, fault: kill("database", first), says: `topology: database: starting again: signal: killed`},
		{name: "nginx reloaded", short: true, fault: command("reload", "nginx"), says: `topology: nginx: reads its configuration anew`},
		{name: "everything reloaded", fault: command("reload"), says: `topology: reload \(by command line\)`},
		{name: "nginx -9", short: true, fault: killWhole("nginx", first), says: `topology: nginx: starting again: signal: killed`},
		{name: "disk full", apart: "mount", lasts: 5 * time.Second, prepare: smallDisk, fault: fillDisk, says: `the disk under .* is full`},
		{name: "descriptors of serverA exhausted", lasts: 5 * time.Second, fault: exhaust("serverA"), says: `too many open files`},
		{name: "everything reloaded while serverA crashes in a loop", fault: crashLoop, lasts: 2 * time.Second, says: `serverA: backoff for .*CANT_MAX`},
		{name: "`down` during `up`", first: true, fault: downDuringUp, says: `topology: down \(by command line\)`},
		{name: "two `up` at once", first: true, fault: twoUps, says: `runs on :\d+ already|is being started`},
		{name: "nginx.conf broken, then reloaded", lasts: 2 * time.Second, fault: brokenConf, says: `topology: reload nginx: .*nginx\.conf:\d+`},
		{name: "network to serverB cut", apart: "iptables", lasts: frozen, fault: cut("serverB"), says: `serverB: unresponsive: no sign of life`},
	}
}

// kill ends the process of a part that which chooses; a negative pid means its group.
func kill(name string, which func(status.Part) int) func(*rig) func() {
	return func(r *rig) func() {
		r.signal(which(r.part(name)), syscall.SIGKILL)
		return nil
	}
}

// killWhole is kill of a leader whose group does not serve without it: topology ends the rest.
func killWhole(name string, which func(status.Part) int) func(*rig) func() {
	return func(r *rig) func() {
		pid := which(r.part(name))
		r.signal(pid, syscall.SIGKILL)
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			left, err := procs.Groups([]int{pid})
			switch {
			case err != nil:
				r.Fatal(err)
			case len(left) == 0:
				return nil
			case time.Now().After(deadline):
				r.Fatalf("of the group of %s %d processes go on", name, len(left))
			}
		}
	}
}

func freeze(name string, which func(status.Part) int) func(*rig) func() {
	return func(r *rig) func() {
		pid := which(r.part(name))
		r.signal(pid, syscall.SIGSTOP)
		return func() { _ = syscall.Kill(pid, syscall.SIGCONT) } // it may have been replaced
	}
}

func (r *rig) signal(pid int, sig syscall.Signal) {
	r.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		r.Fatalf("pid %d: %v", pid, err)
	}
}

// command calls topology and wants it to succeed.
func command(args ...string) func(*rig) func() {
	return func(r *rig) func() {
		if out, err := r.command("topology", args...).CombinedOutput(); err != nil {
			r.Errorf("topology %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
}
