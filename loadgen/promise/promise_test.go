package promise

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/layout"
)

// TestNow: what was in force when a run began is known at its end, even if the layout was taken down and up meanwhile.
func TestNow(t *testing.T) {
	start := time.Now()
	began := func(c *balancer.Config, before *balancer.Config, at time.Duration, weights ...int) *balancer.Config {
		c.Groups = group(weights...)
		c.Begin(before, start.Add(at))
		c.Done(start.Add(at + time.Second))
		return c
	}
	first := began(&balancer.Config{}, nil, 0, 2, 1)
	for name, c := range map[string]struct {
		now  *balancer.Config
		want string
	}{
		"nothing happened": {first, "[2:1]"},
		"weights changed":  {began(&balancer.Config{}, first, time.Minute, 3, 1), "[2:1 3:1]"},
		"down and up":      {began(&balancer.Config{}, nil, time.Minute, 5, 1), "[2:1 5:1]"},
	} {
		path := filepath.Join(t.TempDir(), "shares.json")
		if err := c.now.Save(path); err != nil {
			t.Fatal(err)
		}
		p := &Promise{Layout: &layout.State{Shares: path}, Config: first}
		conf, err := p.Now()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range conf.Epochs {
			got = append(got, fmt.Sprintf("%d:%d", e.Groups[0].Servers[0].Weight, e.Groups[0].Servers[1].Weight))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v were in force, want %s", name, got, c.want)
		}
	}
}
