package caddy

import (
	"os/exec"
	"strings"
	"testing"

	"balanceo/topology/balancer"
	"balanceo/topology/balancer/balancertest"
)

// modules are those of this machine's Caddy; PATH finds another one first.
func modules(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), balancertest.Program(t, Caddy{}), "list-modules").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// newer skips the test where the Caddy of this machine has no weights.
func newer(t *testing.T) {
	t.Helper()
	if !strings.Contains(modules(t), "selection_policies."+weighted) {
		t.Skip("this Caddy has no " + weighted)
	}
}

func start(t *testing.T, method string, failing bool, weights ...int) *balancertest.Rig {
	t.Helper()
	servers := make([]*balancertest.Server, len(weights)+1)
	for i := range servers {
		servers[i] = balancertest.NewServer(t)
	}
	source := balancertest.Source(weights, 1)
	if failing {
		source = strings.ReplaceAll(source, "max_fails=0", "max_fails=1 fail_timeout=60s")
	}
	r := balancertest.Start(t, Caddy{}, source, servers...)
	r.Renew(t, func(s *balancer.Site) { s.Changes = map[string]balancer.Change{"a": {Method: method}} })
	return r
}

func (c counted) ofFirst() []int {
	return []int{c.split[c.r.Servers[0].Addr], c.split[c.r.Servers[1].Addr], c.split[c.r.Servers[2].Addr]}
}

type counted struct {
	r     *balancertest.Rig
	split map[string]int
}

func count(t *testing.T, r *balancertest.Rig) counted {
	t.Helper()
	return counted{r, r.Split(t, 1200, 1, "/")}
}

// Caddy's own weights are kept while all servers answer, and without one of them, unless it is noted that it failed: what
// the report says then is what happens.
func TestWeighted(t *testing.T) {
	newer(t)
	for _, failing := range []bool{false, true} {
		r := start(t, weighted, failing, 7, 3, 2)
		c := count(t, r)
		balancertest.Judge(t, r, "a", c.split)
		r.Servers[0].Close()
		down := count(t, r)
		want := []int{0, 720, 480}
		if failing {
			want = []int{0, 900, 300}
		}
		for i, n := range down.ofFirst() {
			if n < want[i]-12 || n > want[i]+12 { // within a cycle
				t.Errorf("failures noted %v, the first down: got %v of 1,200, want %v", failing, down.ofFirst(), want)
				break
			}
		}
		if warned := r.Conf.Group("a").Promise.Warning != ""; warned != failing {
			t.Errorf("failures noted %v: warned %v", failing, warned)
		}
		t.Logf("%s 7:3:2, failures noted %v: %v, and with the first down %v of 1,200", weighted, failing, c.ofFirst(), down.ofFirst())
	}
}

// A server that random_choose leaves out while nothing is under way is named, and only such a one.
func TestRandomChoose(t *testing.T) {
	newer(t)
	r := start(t, "random_choose 2", false, 1, 1, 1)
	p := r.Conf.Group("a").Promise
	c := count(t, r)
	t.Logf("random_choose 2, idle: %v of 1,200; %s", c.ofFirst(), p.Warning)
	for i, n := range c.ofFirst() {
		if addr := r.Servers[i].Addr; (n == 0) != strings.Contains(p.Warning, addr) {
			t.Errorf("%s got %d of 1,200, and the report says %q", addr, n, p.Warning)
		}
	}
}
