package main

import (
	"strings"
	"testing"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/scenario"
)

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
