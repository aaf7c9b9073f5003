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
