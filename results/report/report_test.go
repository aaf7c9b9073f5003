package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"balanceo/results/run"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestText(t *testing.T) {
	for name, r := range records() {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Text(&out, r, Options{}); err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(out.String(), "\n") {
				if n := columns(line); n > Width {
					t.Errorf("line %d has %d columns, want at most %d: %q", i+1, n, Width, line)
				}
			}
			golden(t, filepath.Join("testdata", name+".txt"), out.Bytes())
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

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{duration(0), "0 s"},
		{duration(0.0000005), "500 ns"},
		{duration(0.000456), "456 µs"},
		{duration(0.0009996), "1.00 ms"},
		{duration(0.01234), "12.3 ms"},
		{duration(0.9996), "1.00 s"},
		{duration(30), "30.0 s"},
		{percent(0.999999), "99.99"},
		{percent(1), "100"},
		{percent(0.5), "50"},
		{integer(1234567), "1,234,567"},
		{integer(-1234), "-1,234"},
		{integer(999), "999"},
		{signed(0.3), "+0.3"},
		{signed(0.01), "0.0"},
		{signed(-0.01), "0.0"},
		{signed(-2), "-2.0"},
		{scaled(999), "999"},
		{scaled(100000), "100 k"},
		{scaled(1.5e9), "1.50 G"},
		{number(200), "200"},
		{number(199.987), "199.99"},
		{number(0.0123), "0.0123"},
		{span(15), "15 s"},
		{span(1.5), "1.5 s"},
		{requests(1), "1 request"},
		{requests(0.33), "0.33 requests"},
		{bar(10, 0.5, 0.5, 0.5, true), "━━━━━━━━┃ "},
		{bar(10, 0.25, 0.5, 0.5, true), "━━━━    ┃ "},
		{bar(10, 0, 0, 0, true), "          "},
		{cut("127.0.0.1:8080", 8), "127.0.0…"},
		{strings.Join(wrap("a bb ccc dddddd", 4), "|"), "a bb|ccc|dddd|dd"},
		{strings.Join(wrap("", 4), "|"), ""},
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
