package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"balanceo/results/console"
	"balanceo/results/run"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestText(t *testing.T) {
	for name, r := range records() {
		t.Run(name, func(t *testing.T) {
			for _, width := range []int{60, 80, 120, 200} {
				var out bytes.Buffer
				if err := Text(&out, r, Options{Width: width, Verbose: width == 120}); err != nil {
					t.Fatal(err)
				}
				for i, line := range strings.Split(out.String(), "\n") {
					if n := console.Columns(line); n > width {
						t.Errorf("line %d has %d columns, want at most %d: %q", i+1, n, width, line)
					}
				}
				if verdicts := strings.Count(out.String(), "PASS") + strings.Count(out.String(), "FAIL"); verdicts > 1 {
					t.Errorf("the verdict is told %d times at %d columns", verdicts, width)
				}
				if width == 80 || width == 120 && name == "good" {
					golden(t, filepath.Join("testdata", fmt.Sprintf("%s.%d.txt", name, width)), out.Bytes())
				}
			}
		})
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("Text differs from %s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

// Colour must add nothing but colour.
func TestTextColour(t *testing.T) {
	for name, r := range records() {
		var plain, coloured bytes.Buffer
		if err := Text(&plain, r, Options{}); err != nil {
			t.Fatal(err)
		}
		if err := Text(&coloured, r, Options{Colour: true}); err != nil {
			t.Fatal(err)
		}
		if coloured.Len() == plain.Len() {
			t.Errorf("Text(%s, Colour: true) has no colour", name)
		}
		if diff := cmp.Diff(plain.String(), stripped(coloured.String())); diff != "" {
			t.Errorf("Text(%s, Colour: true) without its colours (-plain +stripped):\n%s", name, diff)
		}
	}
}

func stripped(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, s, _ = strings.Cut(after, "m")
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{bar(10, 0.5, 0.5, 0.5, true), "━━━━━━━━┃ "},
		{bar(10, 0.25, 0.5, 0.5, true), "━━━━    ┃ "},
		{bar(10, 0, 0, 0, true), "          "},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// FuzzText: whatever a record holds, the report is written, fits and keeps off the terminal's controls.
func FuzzText(f *testing.F) {
	f.Add("node_app", "127.0.0.1:8080", "\x1b[2J", 0.5, int64(10), 1e300)
	f.Add("", "", "世界", -1.0, int64(-5), 0.0)
	f.Fuzz(func(t *testing.T, group, addr, text string, share float64, n int64, s float64) {
		r := &run.Record{
			ID: text, Layout: text, Scenario: group, Warnings: []string{text}, RequestedRate: s,
			Requests: n, Errors: []run.ErrorCount{{Class: text, Count: n}}, Status: map[string]int64{text: n},
			Groups: []run.Group{{Name: group, Requests: n, Reasons: []string{text}, Upstreams: []run.Upstream{
				{Addr: addr, Instance: text, Share: share, ExpectedShare: 1 - share, Weight: 1, Requests: n, Latency: run.Latency{P50: s}},
			}}},
			Routes: []run.Route{{Method: "GET", Path: addr, Requests: n, Draws: &s}},
		}
		var out bytes.Buffer
		if err := Text(&out, r, Options{}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(strings.ReplaceAll(out.String(), "\n", ""), "\x1b\r\t\x00") {
			t.Errorf("Text passes a control character on: %q", out.String())
		}
	})
}

// A route or server whose answers all failed has no latencies, not latencies of 0.
func TestNoLatenciesWithoutAnswers(t *testing.T) {
	r := good()
	r.SuccessRatio, r.Latency = 0, run.Latency{}
	for i := range r.Routes {
		r.Routes[i].Throughput, r.Routes[i].Latency = 0, run.Latency{}
	}
	for i := range r.Groups[0].Upstreams {
		r.Groups[0].Upstreams[i].SuccessRatio, r.Groups[0].Upstreams[i].Latency = 0, run.Latency{}
	}
	var out bytes.Buffer
	if err := Text(&out, r, Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, " 0s") {
			t.Errorf("a latency of 0 is shown where nothing succeeded: %q", line)
		}
	}
}
