package main

import (
	"strings"
	"testing"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/scenario"
)

// TestLoadOfAPath: what is sent, and what the record calls it, has the path of the target.
func TestLoadOfAPath(t *testing.T) {
	for _, c := range []struct{ args, uri, path string }{
		{"-target http://127.0.0.1:1 -scenario url", "", "/"},
		{"-target http://127.0.0.1:1/info -scenario url", "/info", "/info"},
		{"-target http://127.0.0.1:1/dir/ -scenario url", "/dir/", "/dir/"},
		{"-target http://127.0.0.1:1/dir/?x=1 -scenario url", "/dir/?x=1", "/dir/"},
		{"-target http://127.0.0.1:1//x -scenario url", "//x", "//x"},
		{"-target http://127.0.0.1:1/app/ -scenario randoms -cant 5", "/app/api/randoms?cant=5", "/app/api/randoms"},
	} {
		o, set, err := parseOptions(strings.Fields(c.args))
		if err != nil {
			t.Fatal(err)
		}
		p, err := o.plan(set)
		if err != nil {
			t.Fatal(err)
		}
		l, err := p.load(t.Context(), "id")
		if err != nil {
			t.Fatal(err)
		}
		if got := l.uris()[0]; got != c.uri || l.Labels()[0].Path != c.path {
			t.Errorf("loadgen %s: sends %q as route %q, want %q as %q", c.args, got, l.Labels()[0].Path, c.uri, c.path)
		}
		cfg, err := p.attack("id", l, pace.NewSchedule(pace.Constant(1), 0, time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := cfg.Requests[0].At(cfg.Target).URL, "http://127.0.0.1:1"+c.uri; got != want {
			t.Errorf("loadgen %s: vegeta sends %q, want %q", c.args, got, want)
		}
		if err := cfg.Fast(); err != nil {
			t.Errorf("loadgen %s: %v", c.args, err)
		}
	}
}

// FuzzTargets reads -targets: what is accepted can be sent.
func FuzzTargets(f *testing.F) {
	for _, text := range []string{
		"GET /\n", "GET http://127.0.0.1/a\nX-One: 1\n\nDELETE http://[::1]:80/b\n", "# a comment\nPOST /x?y=z\n",
		`{"method":"GET","url":"/a","header":{"A":["b"]},"body":"aGk="}`, "GET \n", "{", "GET ftp://x/\n", "get /\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "@") {
			return // a body from a file
		}
		targets, err := readTargets([]byte(text))
		if err != nil {
			return
		}
		for _, target := range targets {
			r := attack.Request{Target: target, Weight: 1}
			if _, err := scenario.New("targets", []attack.Request{r}); err != nil || r.Label().Path == "" && r.URI() != "" && r.URI()[0] != '?' {
				t.Errorf("%q: target %+v is accepted: %v, label %+v", text, target, err, r.Label())
			}
		}
	})
}
