package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The log tells of loads that the page has not started: when each begins and when it is over, once.
func TestRuns(t *testing.T) {
	const begun = int64(1_795_813_893_000)
	r := runs{begun: begun, all: map[string]*stay{}}
	var got []string
	at := begun
	elsewhere := func(want ...string) {
		t.Helper()
		if ids := r.elsewhere(); !slices.Equal(ids, want) {
			t.Errorf("after %d ms loads run elsewhere: got %q, want %q", at-begun, ids, want)
		}
	}
	run := func(id string, every, seconds int64) {
		for until := at + seconds*1000; at < until; at += every {
			if m := r.see(&request{run: strings.TrimSuffix(id, "-warmup"), warmup: strings.HasSuffix(id, "-warmup"), ended: at, took: 10}); m != nil {
				got = append(got, fmt.Sprintf("%d %s by %s", m.At.UnixMilli()-begun, m.Text, m.By))
			}
			for _, m := range r.ended(at) {
				got = append(got, fmt.Sprintf("%d %s by %s", m.At.UnixMilli()-begun, m.Text, m.By))
			}
		}
	}
	run("before", 100, 1)
	run("early-warmup", 100, 1) // begins while the page is new, and says so
	elsewhere("before", "early")
	run("", 100, 3) // somebody's browser
	run("slow", 4000, 20)
	elsewhere("slow")
	r.begin("own", at)
	run("own", 100, 3)
	elsewhere("slow")
	r.begin("", at) // ended by hand
	run("own", 100, 1)
	run("", 1000, 30)
	r.begin("own2", at)
	run("own2", 100, 1)
	run("", 1000, 30) // over by itself
	elsewhere()
	want := []string{
		"990 load begins by loadgen/early",
		"4990 load begins by loadgen/slow",
		"900 load ends by loadgen/before",
		"1900 load ends by loadgen/early",
		"21000 load ends by loadgen/slow",
		"59900 load ends by loadgen/own2",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("marks:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}
