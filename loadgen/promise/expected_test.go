package promise

import (
	"testing"

	"balanceo/topology/balancer"
)

func TestExpected(t *testing.T) {
	for _, c := range []struct {
		text, method string
		share        float64 // of a
		kind         balancer.Kind
		within       float64
	}{
		{"a=2,b=1", "random", 2. / 3, balancer.Chance, 0},
		{"a=2, b=1", "roundrobin", 2. / 3, balancer.Exact, 1},
		{"a=70%,b=30%", "roundrobin", 0.7, balancer.Exact, 2.1}, // 7 in a row of 10: 7·0.3
		{"a=62.5,b=37.5", "random", 0.625, balancer.Chance, 0},
		{"a=1,b=1,c=0", "none", 0.5, balancer.Nothing, 0},
		{"a=1,b=1", "hash", 0.5, balancer.ByKey, 0},
	} {
		p, err := Expected(c.text, c.method, "g")
		if err != nil {
			t.Errorf("Expected(%q, %q): %v", c.text, c.method, err)
			continue
		}
		promise := p.Config.Groups[0].Promise
		if got := p.Share("g", "a"); got != c.share || promise.Kind != c.kind || promise.Within < c.within-1e-9 || promise.Within > c.within+1e-9 {
			t.Errorf("Expected(%q, %q): a has %v, %+v; want %v, %s within %v", c.text, c.method, got, promise, c.share, c.kind, c.within)
		}
	}
	for _, c := range []struct{ text, method string }{
		{"", "random"},
		{"a", "random"},
		{"a=x", "random"},
		{"a=-1", "random"},
		{"a=0", "random"},
		{"a=1,a=2", "random"},
		{"a=Inf", "random"},
		{"a=1e30,b=1", "random"},
		{"a=1e-5,b=1", "random"},
		{"a=1", "best"},
	} {
		if p, err := Expected(c.text, c.method, "g"); err == nil {
			t.Errorf("Expected(%q, %q) = %+v, want an error", c.text, c.method, p)
		}
	}
}
