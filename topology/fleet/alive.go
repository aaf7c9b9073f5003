package fleet

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/layout"
	"balanceo/topology/procs"
	"balanceo/topology/supervise"
)

// alive tells whether an instance gives any answer at all, good or bad: what its database has to do with it is no
// reason to replace it. Where none of the others answers either, the machine is what is slow, and nobody is blamed.
func (f *Fleet) alive(ctx context.Context, p *part) error {
	// A connection of its own for each question: one that is kept would ask one and the same worker.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	_, err := get(ctx, client, fmt.Sprintf("http://%s:%d/healthz", Loopback, p.port))
	if err == nil {
		p.answered.Store(time.Now().UnixNano())
		f.noteStill(p)
		return nil
	}
	liveness := f.cfg.Layout.Probe
	lately := time.Now().Add(-2 * (liveness.Interval + liveness.Timeout))
	others := 0
	for _, o := range f.instances() {
		if o == p || o.process.Status().State != supervise.Ready {
			continue
		}
		if others++; time.Unix(0, o.answered.Load()).After(lately) {
			return err
		}
	}
	if others == 0 {
		return err
	}
	return nil
}

// noteStill tells of a master that stands still while its workers answer: none of them would be replaced.
func (f *Fleet) noteStill(p *part) {
	if p.instance.Mode != layout.Cluster {
		return
	}
	pid := p.process.Status().PID
	switch still := pid != 0 && procs.Stopped(pid); {
	case still == p.still.Swap(still):
	case still:
		f.notePart(p, "its master, pid %d, stands still (SIGCONT lets it go on); its workers answer, but none that ends is replaced", pid)
	default:
		f.notePart(p, "its master goes on")
	}
}

// wakeBalance lets keepBalance look again.
func (f *Fleet) wakeBalance() {
	select {
	case f.balance <- struct{}{}:
	default: // it is going to
	}
}

// rebalanceAgain is when a balancer that could not be told is told again.
const rebalanceAgain = time.Second

// keepBalance lets the balancer leave out the instances that are unresponsive: they still accept connections, so it
// would not notice by itself.
func (f *Fleet) keepBalance() {
	again := time.NewTimer(rebalanceAgain)
	defer again.Stop()
	told := ""
	for {
		again.Stop()
		failure := ""
		if err := f.leaveOut(context.Background()); err != nil {
			failure = err.Error()
			again.Reset(rebalanceAgain)
		}
		if failure != told && failure != "" {
			f.Note("%s", failure)
		}
		told = failure
		select {
		case <-f.stopping:
			return
		case <-f.balance:
		case <-again.C:
		}
	}
}

// leaveOut brings the balancer's configuration in line with who is unresponsive or taken down now.
func (f *Fleet) leaveOut(ctx context.Context) error {
	silent := map[int]bool{}
	for _, p := range f.instances() {
		if p.leftOut.Load() || p.process.Status().State == supervise.Unresponsive {
			silent[p.port] = true
		}
	}
	down := spareLast(silent, f.Groups())
	if maps.Equal(down, f.siteNow().Down) {
		return nil // nginx.conf is not read anew without need
	}
	_, err := f.rebalance(ctx, false, func(s *balancer.Site) { s.Down = down })
	return err
}

// spareLast is silent without the members of groups that would have nobody left.
func spareLast(silent map[int]bool, groups []balancer.Group) map[int]bool {
	down := maps.Clone(silent)
	for _, g := range groups {
		left := 0
		var members []int
		for _, s := range g.Servers {
			_, port, _ := net.SplitHostPort(s.Addr)
			n, _ := strconv.Atoi(port) // 0 belongs to no instance
			if members = append(members, n); !silent[n] {
				left++
			}
		}
		if left == 0 {
			for _, n := range members {
				delete(down, n)
			}
		}
	}
	return down
}
