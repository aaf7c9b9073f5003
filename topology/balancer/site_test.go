package balancer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"balanceo/topology/layout"
)

func TestMoves(t *testing.T) {
	from := &layout.Layout{HTTPPort: 80, Instances: []layout.Instance{{Name: "a", Port: 8080}, {Name: "b", Port: 8085}}}
	to := &layout.Layout{HTTPPort: 9000, Instances: []layout.Instance{{Name: "a", Port: 7000}, {Name: "b", Port: 7005}}}
	got, err := Moves(&Config{Listen: []int{80, 443}}, from, to)
	want := Move{Listen: map[int]int{80: 9000, 443: 9363}, Servers: map[int]int{8080: 7000, 8085: 7005}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("moves: %v, -want +got\n%s", err, d)
	}
	for _, tt := range []struct {
		listen []int
		want   string
	}{
		{[]int{443}, "nothing listens on port 80"},
		{nil, "nothing listens on port 80"},
		{[]int{80, 60000}, "port 60000 would move to 68920"},
	} {
		if _, err := Moves(&Config{File: "n.conf", Listen: tt.listen}, from, to); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("moves of %v: got %v, want an error with %q", tt.listen, err, tt.want)
		}
	}
}
