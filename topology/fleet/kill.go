package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"balanceo/topology/procs"
)

// kill sends a signal to the process of a part: the master's in mode CLUSTER and of nginx, or to the worker
// that the action names.
func (f *Fleet) kill(_ context.Context, a Action, progress Progress) error {
	p, err := f.one(a)
	if err != nil {
		return err
	}
	sig, err := ParseSignal(cmp.Or(a.Signal, "KILL"))
	if err != nil {
		return err
	}
	pid, err := p.signal(a.Worker, sig)
	if err != nil {
		return err
	}
	progress(fmt.Sprintf("%s: sent %s to pid %d", p.name, unix.SignalName(sig), pid))
	return nil
}

// signal sends a signal to the part's first process or, with worker not 0, to that process among those it has started.
func (p *part) signal(worker int, sig syscall.Signal) (pid int, err error) {
	master := p.process.Status().PID
	if master == 0 {
		return 0, fmt.Errorf("%s: no process runs", p.name)
	}
	if worker == 0 || worker == master {
		return master, p.process.Signal(sig)
	}
	table, err := procs.Read()
	if err != nil {
		return 0, err
	}
	workers := table.Children(master)
	if !slices.Contains(workers, worker) {
		return 0, fmt.Errorf("%s has no worker with pid %d; it has %s", p.name, worker, pids(workers))
	}
	if err := syscall.Kill(worker, sig); err != nil {
		return 0, fmt.Errorf("%s: worker %d: %w", p.name, worker, err)
	}
	return worker, nil
}

func pids(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, len(list))
	for i, pid := range list {
		texts[i] = strconv.Itoa(pid)
	}
	return strings.Join(texts, ", ")
}
