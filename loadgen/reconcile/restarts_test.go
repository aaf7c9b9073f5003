package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/loadgen/distribution"
	"balanceo/topology/counts"
)

// A server that is restarted and counts anew is found, and no other; what it had counted before is no gap.
func TestRestart(t *testing.T) {
	t.Parallel()
	servers := backends(t, 3, true, nil)
	nginx, target := startNginx(t, upstream("app", "", servers))
	guilty := servers[1]
	r, out := load{
		nginx: nginx, target: target, paths: uris(1), rate: 300, timeout: 10 * time.Second, duration: time.Second,
		during: func() {
			for guilty.answered.Load() < 20 {
				time.Sleep(time.Millisecond)
			}
			guilty.restart()
		},
	}.attack(t)
	if len(r.Events) != 1 || r.Events[0].Addr != guilty.addr() || r.Events[0].T < 0 || r.Events[0].Text != "was restarted: process 101 took the place of 100" {
		t.Errorf("events %+v, want the restart of %s only", r.Events, guilty.addr())
	}
	c := r.Reconciliation
	if c.Unexplained != 0 || c.Servers == nil || c.Attributed[Gone] < 20 || c.Attributed[Unasked] != 0 {
		t.Errorf("reconciliation %+v, notes %q; want what was answered before the restart as gone", c, out.Notes)
	}
	if shown := text(t, r); !strings.Contains(strings.Join(strings.Fields(shown), " "), guilty.addr()+" was restarted: process 101 took the place of 100") {
		t.Errorf("the report does not tell:\n%s", shown)
	}
}

func TestRestarts(t *testing.T) {
	since := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	proc := func(at float64, alive bool) counts.Process {
		return counts.Process{Started: since.Add(time.Duration(at * float64(time.Second))), Alive: alive}
	}
	restart := func(at float64, began, ended []int) distribution.Restart {
		return distribution.Restart{Addr: "a", At: proc(at, true).Started, Began: began, Ended: ended}
	}
	type processes = map[int]counts.Process
	for _, c := range []struct {
		name          string
		before, after processes
		want          []distribution.Restart
		notes         int
	}{
		{name: "nothing happened", before: processes{1: proc(-9, true)}, after: processes{1: proc(-9, true)}},
		{name: "one that is not said to have started", before: processes{1: {Alive: true}}, after: processes{2: {Alive: true}}, notes: 1},
		{
			name: "restarted", before: processes{1: proc(-9, true)}, after: processes{1: proc(-9, false), 2: proc(3, true)},
			want: []distribution.Restart{restart(3, []int{2}, []int{1})},
		},
		{
			name: "the same pid again", before: processes{1: proc(-9, true)}, after: processes{1: proc(3, true)},
			want: []distribution.Restart{restart(3, []int{1}, []int{1})},
		},
		{
			name: "twice", before: processes{1: proc(-9, true)}, after: processes{1: proc(-9, false), 3: proc(3, false), 2: proc(6, true)},
			want: []distribution.Restart{restart(3, []int{3}, []int{1}), restart(6, []int{2}, []int{3})},
		},
		{
			name: "all workers together", before: processes{1: proc(-9, true), 2: proc(-9, true)},
			after: processes{3: proc(3.5, true), 4: proc(3, true)},
			want:  []distribution.Restart{restart(3, []int{4, 3}, []int{1, 2})},
		},
		{
			name: "one more", before: processes{1: proc(-9, true)}, after: processes{1: proc(-9, true), 2: proc(3, true)},
			want: []distribution.Restart{restart(3, []int{2}, nil)},
		},
		{
			name: "one less", before: processes{1: proc(-9, true), 2: proc(-9, true)}, after: processes{1: proc(-9, true), 2: proc(-9, false)}, notes: 1,
		},
	} {
		var s servers
		s.restarts("a", c.before, c.after, since)
		if diff := cmp.Diff(c.want, s.restarted); diff != "" || len(s.notes) != c.notes {
			t.Errorf("%s: notes %q, want %d; -want +got\n%s", c.name, s.notes, c.notes, diff)
		}
	}
}
