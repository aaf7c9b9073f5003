package ui

import (
	"math/rand/v2"
	"testing"
	"time"

	"balanceo/topology/balancer"
)

func twoToOne() *balancer.Config {
	return &balancer.Config{Workers: 2, File: "nginx.conf", Groups: []balancer.Group{{
		Name: "g", Method: balancer.RoundRobin, Zone: true,
		Servers: []balancer.Server{{Addr: "a:1", Weight: 2}, {Addr: "b:1", Weight: 1}},
		Promise: &balancer.Promise{Kind: balancer.Exact, Within: 1},
	}}}
}

// rig feeds a judge with requests a millisecond or more apart, in the order of their choice.
type rig struct {
	j    *judge
	conf *balancer.Config
	at   int64
	i    int
}

func newRig(conf *balancer.Config) *rig {
	start := time.UnixMilli(1_795_813_893_000)
	return &rig{j: newJudge(nil, start), conf: conf, at: start.UnixMilli()}
}

// send gives n requests to the servers whose turns order says; pick may change that.
func (r *rig) send(n int, pick func(i int, addr string) []string) {
	g := &r.conf.Groups[0]
	order := balancer.Smooth(g)
	for range n {
		addrs := []string{g.Servers[order[r.i%len(order)]].Addr}
		if pick != nil {
			addrs = pick(r.i, addrs[0])
		}
		r.i++
		r.at += 7
		r.j.add(answered(r.at+3, 3, addrs...))
	}
}

func (r *rig) verdict(out ...string) verdict {
	return r.j.verdict(r.conf, &r.conf.Groups[0], r.at+5000, out, 0)
}

func TestVerdict(t *testing.T) {
	r := newRig(twoToOne())
	if v := r.verdict(); v.State != "wait" {
		t.Errorf("without a request: got %s", v.State)
	}
	r.send(3001, nil)
	v := r.verdict()
	if v.State != "pass" || v.Apart != 0 || v.Requests < 2800 || v.Requests > 2860 {
		t.Errorf("as promised: got %+v", v)
	}
	if v := r.verdict("b"); v.State != "out" {
		t.Errorf("with b missing: got %s", v.State)
	}
	// Every tenth turn of b is taken by a: b is what is short.
	r.send(900, func(i int, addr string) []string {
		if addr == "b:1" && i%10 == 0 {
			return []string{"a:1"}
		}
		return []string{addr}
	})
	v = r.verdict()
	if v.State != "fail" || v.Apart < 20 || v.Off == 0 || len(v.Reasons) == 0 {
		t.Errorf("a takes turns of b: got %+v", v)
	}
	// A change begins a new stretch, and what was before is forgotten.
	r.j.changed("g", time.UnixMilli(r.at))
	if v := r.verdict(); v.State != "wait" {
		t.Errorf("after a change: got %+v", v)
	}
	r.send(1000, nil)
	if v = r.verdict(); v.State != "pass" || v.Since < r.at-7000 {
		t.Errorf("after a change and 1000 requests: got %+v", v)
	}
}

// Refused attempts are named, with who refused them.
func TestVerdictNamesWhoRefuses(t *testing.T) {
	r := newRig(twoToOne())
	r.send(600, func(i int, addr string) []string {
		if addr == "b:1" && i > 300 {
			return []string{"b:1", "a:1"}
		}
		return []string{addr}
	})
	v := r.verdict()
	if v.Retried < 90 {
		t.Errorf("got %+v, want the 100 attempts that b refused", v)
	}
	if v.Farthest != "b:1" || v.Off >= 0 {
		t.Errorf("%s got %g requests more than its share: it is b that refuses, and not a that answers instead", v.Farthest, v.Off)
	}
	if v.Failed != 0 {
		t.Errorf("%d requests failed, want none: they were retried", v.Failed)
	}
}

// A slow request is waited for: while it is under way its server is not said to have been passed over.
func TestVerdictWaitsForTheSlow(t *testing.T) {
	r := newRig(twoToOne())
	g := &r.conf.Groups[0]
	order := balancer.Smooth(g)
	var slow []*request
	for i := range 4000 {
		r.at += 2
		addr := g.Servers[order[i%len(order)]].Addr
		took := int64(3)
		if addr == "b:1" {
			took = 1500
		}
		slow = append(slow, answered(r.at+took, took, addr))
		for len(slow) > 0 && slow[0].took <= r.at-slow[0].began() { // logged when it ends
			r.j.add(slow[0])
			slow = slow[1:]
		}
		for k := 1; k < len(slow); k++ {
			if slow[k].took <= r.at-slow[k].began() {
				r.j.add(slow[k])
				slow = append(slow[:k], slow[k+1:]...)
				k--
			}
		}
		if i%100 == 0 && i > 2000 {
			if v := r.j.verdict(r.conf, g, r.at, nil, 0); v.State == "fail" {
				t.Fatalf("after %d requests: got %+v", i, v)
			}
		}
	}
	if v := r.j.verdict(r.conf, g, r.at, nil, 0); v.State != "pass" || v.Requests < 500 {
		t.Errorf("got %+v", v)
	}
}

// Random shares are judged by chance, and what promises nothing is not judged.
func TestVerdictOfOtherMethods(t *testing.T) {
	conf := twoToOne()
	g := &conf.Groups[0]
	g.Method, g.Promise = balancer.Random, &balancer.Promise{Kind: balancer.Chance}
	r := newRig(conf)
	draw := rand.New(rand.NewPCG(1, 2))
	r.send(3000, func(int, string) []string { return []string{g.Servers[min(1, draw.IntN(3)/2)].Addr} })
	if v := r.verdict(); v.State != "pass" {
		t.Errorf("random: got %+v", v)
	}
	r.send(3000, func(int, string) []string { return []string{g.Servers[draw.IntN(2)].Addr} })
	if v := r.verdict(); v.State != "fail" || v.Apart != 0 {
		t.Errorf("random, half and half instead of 2:1: got %+v", v)
	}
	g.Method, g.Promise = balancer.LeastConn, &balancer.Promise{Kind: balancer.Nothing, Because: "so"}
	if v := r.verdict(); v.State != "info" {
		t.Errorf("least_conn: got %+v", v)
	}
}
