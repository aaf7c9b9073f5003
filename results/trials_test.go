//go:build trials

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"balanceo/results/compare"
)

var trials = flag.Int("trials", 3, "how often the same layout is compared with itself")

// TestTrials measures real layouts, some three quarters of a minute a trial:
//
//	go test -tags trials -run TestTrials -timeout 30m ./results
//
// A layout compared with itself must differ in at most one row in twenty, and one whose servers take 6 ms for an
// answer where the other's take 5 must be found slower in every trial.
func TestTrials(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin")+"/", "./server", "./topology", "./loadgen", "./results")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	conf, err := os.ReadFile(filepath.Join(root, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), conf, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, delay := range map[string]string{"one": "5ms", "two": "5ms", "slower": "6ms"} {
		text := "name: " + name + "\ninstances:\n"
		for i, instance := range []string{"site1", "site2", "serverA", "serverB", "serverC", "serverD"} {
			text += fmt.Sprintf("  - {name: %s, port: %d, mode: FORK, args: [\"--test-delay\", %q]}\n", instance, 8080+i, delay)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rows, found := 0, 0
	for trial := range *trials {
		for _, r := range measure(t, dir, "one.yaml,two.yaml") {
			rows++
			if r.Significant {
				found++
				t.Logf("trial %d: %s differs between the same: %+.1f %%, p %.3f", trial, r.Key, 100*r.Change, *r.P)
			}
		}
	}
	t.Logf("%d of %d rows differ between the same", found, rows)
	if found*20 > rows {
		t.Errorf("%d of %d rows differ between the same, want at most one in twenty", found, rows)
	}
	for _, r := range measure(t, dir, "one.yaml,slower.yaml") {
		if r.Key != "p50" {
			continue
		}
		t.Logf("slower: p50 %+.1f %% in %+v, p %.4f", 100*r.Change, r.Interval, *r.P)
		if !r.Significant || r.Better != "one" {
			t.Errorf("a layout slowed by 20 %%: p50 %+.1f %%, p %.3f; want it found", 100*r.Change, *r.P)
		}
	}
}

// measure runs a campaign of two layouts and returns its table.
func measure(t *testing.T, dir, layouts string) []compare.Row {
	t.Helper()
	results := func(args ...string) []byte {
		cmd := exec.Command(filepath.Join(dir, "bin", "results"), args...)
		cmd.Dir = dir
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("results %q: %v\n%s", args, err, &stderr)
		}
		return out
	}
	text := string(results("campaign", "--layouts", layouts, "--no-search", "--rate", "200", "--duration", "2s", "--warmup", "500ms", "--fresh", "-o", "compare.html"))
	_, label, ok := strings.Cut(text, "--label ")
	if !ok {
		t.Fatalf("campaign says\n%s\nwithout its label", text)
	}
	var doc struct{ Tables []compare.Table }
	if err := json.Unmarshal(results("compare", "--by", "layout", "--json", "--label", strings.TrimSpace(label)), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Tables[0].Rows
}
