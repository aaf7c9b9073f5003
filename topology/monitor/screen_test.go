package monitor

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/results/console"
	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/logs"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

var update = flag.Bool("update", false, "rewrite golden files")

func ptr[T any](v T) *T { return &v }

// watched is a layout as it was seen for n seconds.
func watched(n int) *screen {
	s := &screen{}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range n {
		s.took(&status.Snapshot{
			Layout: "seed", HTTPPort: 80, Dir: "/p/run/80", PID: 7, Started: at, At: at.Add(time.Duration(i) * time.Second), Disk: "the disk under /p/run/80 is full",
			Parts: []status.Part{
				{
					Name: "site1", Kind: fleet.Instance, Port: 8080, Mode: layout.Cluster, State: supervise.Ready, PID: 10, Workers: []int{11, 12},
					Restarts: 1, CPU: ptr(float64(i%7) / 4), RSS: ptr(int64(93_400_000)), Rate: ptr(float64(i % 9)), Group: "node_app", Share: ptr(0.667), Expected: ptr(0.667),
				},
				{
					Name: "site2", Kind: fleet.Instance, Port: 8081, Mode: layout.Fork, State: supervise.Unresponsive, PID: 12,
					Reason: "no sign of life for 2.5s", Group: "node_app", Expected: ptr(1.0 / 3),
				},
				{Name: "nginx", Kind: fleet.Balancer, Port: 80, State: supervise.Ready, PID: 20, Workers: []int{21}, CPU: ptr(0.1)},
			},
		})
		s.wrote(logs.Line{Source: []string{"site1", "site2", "nginx"}[i%3], Time: at.Add(time.Duration(i) * time.Second), Text: fmt.Sprint("line ", i, "\x1b[2J")})
	}
	return s
}

func TestDraw(t *testing.T) {
	time.Local = time.UTC
	for _, size := range [][2]int{{60, 20}, {80, 24}, {120, 30}, {200, 50}} {
		s := watched(90)
		width, height := size[0], size[1]
		s.choose(2)
		got := strings.Join(s.draw(width, height), "\n") + "\n"
		file := fmt.Sprintf("testdata/screen_%d.txt", width)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("draw(%d, %d): -want +got\n%s", width, height, d)
		}
	}
}

// Nothing that is drawn is larger than the terminal, and a part that is down stays in view.
func TestDrawFits(t *testing.T) {
	for width := 20; width < 220; width += 9 {
		for height := 2; height < 60; height += 7 {
			lines := watched(30).draw(width, height)
			if len(lines) > height {
				t.Errorf("draw(%d, %d): got %d lines", width, height, len(lines))
			}
			for _, l := range lines {
				if console.Columns(l) > width || strings.Contains(l, "\x1b[2J") {
					t.Errorf("draw(%d, %d): %q is wider, or acts on the terminal", width, height, l)
				}
			}
			if text := strings.Join(lines, "\n"); width >= 40 && height > 8 && !strings.Contains(text, "unresponsive") {
				t.Errorf("draw(%d, %d): site2 is not in view:\n%s", width, height, text)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	s := watched(1)
	for _, tt := range []struct {
		keys string
		want string
	}{
		{"\x1b[A", ""}, {"\x1b[B", "site1"}, {"jj", "nginx"}, {"\x1b[B", "nginx"}, {"k\x1bOA", "site1"},
	} {
		for _, k := range split(tt.keys) {
			k.act(s)
		}
		if s.chosen != tt.want {
			t.Errorf("after %q: got %q, want %q", tt.keys, s.chosen, tt.want)
		}
	}
	key("\x1b[D").act(s)
	if got := curves()[s.curve].head; got != "MEMORY" {
		t.Errorf("the curve before the first: got %s", got)
	}
	for _, text := range []string{"q", "Q", "\x03", "\x1b", "jq"} {
		if keys := split(text); keys[len(keys)-1] != quit {
			t.Errorf("split(%q): got %q, want quit", text, keys)
		}
	}
}

func TestSpark(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   string
	}{
		{nil, "    "}, {[]float64{0, 0}, "  .."}, {[]float64{1, 2, 4, 0}, "▃▅█."}, {[]float64{5}, "   █"},
	} {
		if got := spark(tt.values, 4); got != tt.want {
			t.Errorf("spark(%v): got %q, want %q", tt.values, got, tt.want)
		}
	}
}
