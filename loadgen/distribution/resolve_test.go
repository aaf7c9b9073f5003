package distribution

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"balanceo/topology/layout"
)

func TestResolved(t *testing.T) {
	lookup := func(host string) ([]string, error) {
		if host == "localhost" {
			return []string{"::1", "127.0.0.1", "::1"}, nil
		}
		return nil, errors.New("no such host")
	}
	n := &layout.Nginx{Groups: []layout.Group{{Name: "g", Servers: []layout.Server{
		{Addr: "localhost:8080", Weight: 2},
		{Addr: "127.0.0.1:8081", Weight: 1},
		{Addr: "unix:/run/app.sock", Weight: 1},
		{Addr: "unknown:8082", Weight: 1},
	}}}}
	want := []layout.Server{
		{Addr: "127.0.0.1:8080", Weight: 2},
		{Addr: "[::1]:8080", Weight: 2},
		{Addr: "127.0.0.1:8081", Weight: 1},
		{Addr: "unix:/run/app.sock", Weight: 1},
		{Addr: "unknown:8082", Weight: 1},
	}
	got := Resolved(n, lookup).Groups[0]
	if diff := cmp.Diff(want, got.Servers); diff != "" {
		t.Errorf("Resolved (-want +got)\n%s", diff)
	}
	if len(n.Groups[0].Servers) != 4 {
		t.Errorf("Resolved changed its argument: %+v", n.Groups[0].Servers)
	}
	if share := got.Share("[::1]:8080"); share != 2.0/7 {
		t.Errorf("share of one of the two peers is %v, want 2/7", share)
	}
}
