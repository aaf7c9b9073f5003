package balancer

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShare(t *testing.T) {
	g := Group{Servers: []Server{
		{Addr: "a:1", Weight: 2}, {Addr: "b:1", Weight: 1}, {Addr: "c:1", Weight: 9, Backup: true}, {Addr: "d:1", Weight: 9, Down: true},
	}}
	for addr, want := range map[string]float64{"a:1": 2.0 / 3, "b:1": 1.0 / 3, "c:1": 0, "d:1": 0, "e:1": 0} {
		if got := g.Share(addr); got != want {
			t.Errorf("Share(%q): got %v, want %v", addr, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	lookup := func(_ context.Context, host string) ([]string, error) {
		if host == "localhost" {
			return []string{"::1", "127.0.0.1", "::1"}, nil
		}
		return nil, errors.New("not found")
	}
	n := &Config{Groups: []Group{{Servers: []Server{
		{Addr: "127.0.0.1:1", Weight: 1}, {Addr: "localhost:2", Weight: 3}, {Addr: "nosuch:3", Weight: 1}, {Addr: "unix:/x:1"}, {Addr: "[::1]:4"},
	}}}}
	n.Resolve(t.Context(), lookup)
	want := []Server{
		{Addr: "127.0.0.1:1", Weight: 1},
		{Addr: "127.0.0.1:2", Weight: 3},
		{Addr: "[::1]:2", Weight: 3},
		{Addr: "nosuch:3", Weight: 1},
		{Addr: "unix:/x:1"},
		{Addr: "[::1]:4"},
	}
	if d := cmp.Diff(want, n.Groups[0].Servers); d != "" {
		t.Errorf("Resolve: -want +got\n%s", d)
	}
	if got := n.Groups[0].Share("127.0.0.1:2"); got != 3.0/8 {
		t.Errorf("Share after Resolve: got %v, want 3/8", got)
	}
}

// Shares that a promise names are those of the same servers under their addresses, and nothing is promised where a name
// has several of them.
func TestResolveShares(t *testing.T) {
	lookup := func(_ context.Context, host string) ([]string, error) {
		return map[string][]string{"a": {"10.0.0.1"}, "b": {"10.0.0.2"}, "c": {"10.0.0.3", "10.0.0.4"}}[host], nil
	}
	group := func(other string) Group {
		return Group{Servers: []Server{{Addr: "a:1", Weight: 3}, {Addr: other, Weight: 2}}, Promise: &Promise{Kind: Exact, Shares: map[string]float64{"a:1": 0.75, other: 0.25}}}
	}
	c := &Config{Balancer: "haproxy", Groups: []Group{group("b:1"), group("c:1")}}
	c.Resolve(t.Context(), lookup)
	if g := c.Groups[0]; g.Share("10.0.0.1:1") != 0.75 || g.Share("10.0.0.2:1") != 0.25 {
		t.Errorf("got %+v, want 0.75 and 0.25", g.Promise)
	}
	if p := c.Groups[1].Promise; p.Kind != Nothing || p.Because != "c:1 has 2 addresses, and which of them haproxy uses is not known." {
		t.Errorf("of a name with two addresses: got %+v", p)
	}
}
