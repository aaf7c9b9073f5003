package balancer

import (
	"math"
	"slices"
	"testing"
)

func TestRepeated(t *testing.T) {
	group := func(weights ...int) *Group {
		g := &Group{Method: "m"}
		for i, w := range weights {
			g.Servers = append(g.Servers, Server{Addr: string(rune('a' + i)), Weight: w})
		}
		return g
	}
	repeat := func(first []int, period []int, n int) []int {
		out := first
		for range n {
			out = append(out, period...)
		}
		return out
	}
	tests := []struct {
		name   string
		g      *Group
		order  []int
		period int
		within float64
		share  float64 // of the first
		warn   string
	}{
		{"A B A", group(2, 1), repeat(nil, []int{0, 1, 0}, 20), 3, 2.0 / 3, 2.0 / 3, ""},
		{"runs", group(2, 1), repeat(nil, []int{0, 0, 1}, 20), 3, 2.0 / 3, 2.0 / 3, ""},
		{"another beginning", group(1, 1), repeat([]int{0, 0, 0}, []int{1, 0}, 20), 2, 1.5, 0.5, ""},
		{"off for good", group(1, 1), repeat(nil, []int{0, 1, 0}, 20), 3, 2.0 / 3, 2.0 / 3, "Of 1,200 requests b gets 400 and not the 600 of its weight, and always will: m does this with the weights 1:1."},
		{"one", group(5), repeat(nil, []int{0}, 20), 1, 0, 1, ""},
		{"no period", group(1, 1), []int{0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1}, 0, 0, 0, ""},
	}
	for _, tt := range tests {
		p, period, ok := Repeated(tt.g, tt.order, "because")
		if ok != (tt.period > 0) || period != tt.period {
			t.Errorf("%s: got period %d, %v, want %d", tt.name, period, ok, tt.period)
			continue
		}
		if ok && (math.Abs(p.Within-tt.within) > 1e-9 || math.Abs(p.Shares["a"]-tt.share) > 1e-9 || p.Warning != tt.warn || p.Kind != Exact) {
			t.Errorf("%s: got %+v, want within %v, share %v, warning %q", tt.name, p, tt.within, tt.share, tt.warn)
		}
	}
}

func TestSmooth(t *testing.T) {
	for _, tt := range []struct {
		servers []Server
		want    []int
	}{
		{[]Server{{Weight: 2}, {Weight: 1}}, []int{0, 1, 0}},
		{[]Server{{Weight: 30}, {Weight: 20}}, []int{0, 1, 0, 1, 0}},
		{[]Server{{Weight: 5}, {Weight: 1}, {Weight: 1}}, []int{0, 0, 1, 0, 2, 0, 0}},
		{[]Server{{Weight: 5, Down: true}, {Weight: 1}, {Weight: 1, Backup: true}}, []int{1}},
		{nil, nil},
	} {
		if got := Smooth(&Group{Servers: tt.servers}); !slices.Equal(got, tt.want) {
			t.Errorf("Smooth(%+v): got %v, want %v", tt.servers, got, tt.want)
		}
	}
}
