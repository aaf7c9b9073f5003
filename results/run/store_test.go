package run_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/results/run"
	"balanceo/results/run/runtest"
)

// TestMain lets the test binary be the writer that TestKilledWhileWriting kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RUN_TEST_WRITE_FOREVER"); dir != "" {
		writeForever(dir)
	}
	os.Exit(m.Run())
}

func writeForever(dir string) {
	r := runtest.Record(runtest.Spec{})
	for i := 0; ; i++ {
		r.ID = fmt.Sprintf("run-%d", i%3) // new files and replaced ones
		r.Warnings = append(r.Warnings[:0], strings.Repeat("A long record takes longer to write. ", 1+i%20_000))
		if _, err := run.Write(dir, r); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println("written")
	}
}

func TestWriteRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	want := runtest.Record(runtest.Spec{Seed: 1, Errors: 2, Capacity: 9000})
	path, err := run.Write(dir, want)
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	if wantPath := filepath.Join(dir, want.ID+".json"); path != wantPath {
		t.Errorf("Write returned %q, want %q", path, wantPath)
	}
	got, err := run.Read(path)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read after Write (-want +got):\n%s", diff)
	}
}

func TestEmptyListsAreNotNull(t *testing.T) {
	data, err := json.Marshal(run.Record{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"errors":[]`, `"groups":[]`, `"routes":[]`, `"status":{}`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("Marshal(Record{}) = %s, want %s in it", data, want)
		}
	}
}

func TestUnknownKeysSurviveRewriting(t *testing.T) {
	dir := t.TempDir()
	path, err := run.Write(dir, runtest.Record(runtest.Spec{Seed: 2}))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	group := doc["groups"].([]any)[1].(map[string]any)
	upstream := group["upstreams"].([]any)[3].(map[string]any)
	route := doc["routes"].([]any)[0].(map[string]any)
	doc["weather"] = map[string]any{"sky": "grey/blue", "wind": []any{1.0, 2.0}}
	doc["a/b~c"] = "key with the characters of a pointer"
	group["colour"] = "green"
	upstream["rack"] = 7.0
	upstream["latency_s"].(map[string]any)["p42"] = 0.1
	route["owner"] = nil
	doc["env"].(map[string]any)["room"] = "cellar"
	if data, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}

	r, err := run.Read(path)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if len(r.Extra) != 7 {
		t.Errorf("Read found %d unknown keys, want 7: %v", len(r.Extra), r.Extra)
	}
	r.Label = "relabelled"
	r.Groups[0], r.Groups[1] = r.Groups[1], r.Groups[0] // elements are known by name, not by place
	if _, err := run.Write(dir, r); err != nil {
		t.Fatal(err)
	}
	var again map[string]any
	if data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	doc["label"] = "relabelled"
	groups := doc["groups"].([]any)
	groups[0], groups[1] = groups[1], groups[0]
	if diff := cmp.Diff(doc, again); diff != "" {
		t.Errorf("document after Read, change and Write (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(string(data), "{\n  \"schema\": 1,\n  \"id\"") {
		t.Errorf("the known keys lost their order: %.60q", data)
	}
}

func TestListNamesDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	second := runtest.Record(runtest.Spec{Seed: 2, Started: time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)})
	first := runtest.Record(runtest.Spec{Seed: 1})
	for _, r := range []*run.Record{second, first} {
		if _, err := run.Write(dir, r); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(filepath.Join(dir, first.ID+".json"))
	if err != nil {
		t.Fatal(err)
	}
	write("cut.json", string(whole[:len(whole)/2]))
	write("empty.json", "")
	write("list.json", "[1, 2]")
	write("other.json", `{"name": "package.json"}`)
	write("newer.json", `{"schema": 99, "id": "x"}`)
	write("negative.json", `{"schema": 1, "id": "x", "started": "2026-11-23T15:00:00Z", "requests": -1}`)
	write("copy.json", string(whole))
	write("notes.txt", "not a record and not meant to be one")
	write("."+first.ID+".json123", "what a killed writer left")
	if err := os.Mkdir(filepath.Join(dir, "folder.json"), 0o755); err != nil {
		t.Fatal(err)
	}

	runs, damaged, err := run.List(dir)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	if len(runs) != 2 || runs[0].ID != first.ID || runs[1].ID != second.ID {
		t.Errorf("List found %d runs, want %s and %s in this order", len(runs), first.ID, second.ID)
	}
	want := map[string]string{
		"copy.json": "once more", "cut.json": "not JSON in line", "empty.json": "empty", "list.json": "array",
		"negative.json": "requests is -1", "newer.json": "schema 99", "other.json": "id \"\"",
	}
	for _, d := range damaged {
		text, ok := want[d.File]
		if !ok || !strings.Contains(d.Err.Error(), text) {
			t.Errorf("List says of %s: %v; want %q", d.File, d.Err, text)
		}
		if strings.Contains(d.Err.Error(), "\n") {
			t.Errorf("List says of %s in several lines: %v", d.File, d.Err)
		}
		delete(want, d.File)
	}
	if len(want) > 0 {
		t.Errorf("List says nothing of %v", want)
	}
	var newer *run.NewerError
	if _, err := run.Read(filepath.Join(dir, "newer.json")); !errors.As(err, &newer) || newer.Schema != 99 {
		t.Errorf("Read(newer.json) = %v, want a NewerError", err)
	}
}

func TestListOfNoFolder(t *testing.T) {
	runs, damaged, err := run.List(filepath.Join(t.TempDir(), "none"))
	if len(runs) != 0 || len(damaged) != 0 || err != nil {
		t.Errorf("List of a folder that is not there = %v, %v, %v; want nothing", runs, damaged, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, change := range map[string]func(*run.Record){
		"id that leads out":  func(r *run.Record) { r.ID = "../x" },
		"no id":              func(r *run.Record) { r.ID = "" },
		"not a number":       func(r *run.Record) { zero := 0.0; r.Latency.P99 = zero / zero },
		"share over 1":       func(r *run.Record) { r.Groups[0].Upstreams[0].Share = 1.5 },
		"more answers":       func(r *run.Record) { r.Responses = r.Requests + 1 },
		"no start":           func(r *run.Record) { r.Started = time.Time{} },
		"verdict of no kind": func(r *run.Record) { r.Groups[0].Verdict = "fine" },
	} {
		dir := t.TempDir()
		r := runtest.Record(runtest.Spec{})
		change(r)
		if path, err := run.Write(dir, r); err == nil {
			t.Errorf("Write with %s wrote %q, want an error", name, path)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("Write with %s left %v", name, left)
		}
	}
}

func TestStaleTemporaryFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	stale, fresh, foreign := filepath.Join(dir, ".a.json17"), filepath.Join(dir, ".b.json18"), filepath.Join(dir, ".gitignore")
	for _, path := range []string{stale, fresh, foreign} {
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * time.Hour)
	for _, path := range []string{stale, foreign} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := run.Write(dir, runtest.Record(runtest.Spec{})); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{stale: false, fresh: true, foreign: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("after Write %s is there: %v, want %v", filepath.Base(path), err == nil, want)
		}
	}
}

// TestKilledWhileWriting kills a writer again and again, at ever other moments, and reads what it left.
func TestKilledWhileWriting(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for round := range 15 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "RUN_TEST_WRITE_FOREVER="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + round%2 {
			if !lines.Scan() || lines.Text() != "written" {
				t.Errorf("round %d: the writer says %q", round, lines.Text())
			}
		}
		time.Sleep(time.Duration(round) * 1300 * time.Microsecond) // into the middle of the next one
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()

		runs, damaged, err := run.List(dir)
		if err != nil || len(damaged) > 0 || len(runs) == 0 {
			t.Fatalf("round %d: List = %d runs, damaged %v, error %v; want runs only", round, len(runs), damaged, err)
		}
	}
}

func TestOlderSchema(t *testing.T) {
	r, err := run.Read(filepath.Join("testdata", "schema0.json"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Schema != run.Schema {
		t.Errorf("schema = %d, want %d", r.Schema, run.Schema)
	}
	if r.RequestedRate != 200 || r.Generator.SendRatio != 199.9/200 || !r.Valid() {
		t.Errorf("rate %v, send ratio %v, valid %v; want 200, 0.9995, true", r.RequestedRate, r.Generator.SendRatio, r.Valid())
	}
	wantLatency := run.Latency{Min: 0.00031, Mean: 0.0009, P50: 0.0008, P90: 0.0012, P99: 0.0031, Max: 0.0125}
	if diff := cmp.Diff(wantLatency, r.Latency); diff != "" {
		t.Errorf("latency (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]run.ErrorCount{{Class: "http_5xx", Count: 3}}, r.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if got := string(r.Extra["/weather"]); got != `"rain"` {
		t.Errorf(`Extra["/weather"] = %s, want "rain"`, got)
	}
	path, err := run.Write(t.TempDir(), r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := run.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, again); diff != "" {
		t.Errorf("written by the present schema and read again (-want +got):\n%s", diff)
	}
}

func TestResolve(t *testing.T) {
	var runs []*run.Record
	for i, id := range []string{"20261123-150000-aaaa11", "20261123-150100-aaab22", "20261124-090000-cccc33"} {
		runs = append(runs, &run.Record{ID: id, Started: time.Unix(int64(i), 0)})
	}
	for _, c := range []struct{ ref, want, err string }{
		{"latest", runs[2].ID, ""},
		{"20261124", runs[2].ID, ""},
		{"20261123-1501", runs[1].ID, ""},
		{"20261123-150000-aaaa11", runs[0].ID, ""},
		{"cc", runs[2].ID, ""},
		{"aaab", runs[1].ID, ""},
		{"20261123", "", `run "20261123" is ambiguous: 20261123-150000-aaaa11, 20261123-150100-aaab22`},
		{"aaa", "", `run "aaa" is ambiguous: 20261123-150000-aaaa11, 20261123-150100-aaab22`},
		{"zz", "", `no run "zz"`},
		{"", "", `no run ""`},
	} {
		got, err := run.Resolve(runs, c.ref)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("Resolve(%q) = %v, error %v; want error %s", c.ref, got, err, c.err)
			}
		} else if err != nil || got.ID != c.want {
			t.Errorf("Resolve(%q) = %v, %v; want %s", c.ref, got, err, c.want)
		}
	}
	if _, err := run.Resolve(nil, "latest"); !errors.Is(err, run.ErrNoRuns) {
		t.Errorf("Resolve without runs = %v, want ErrNoRuns", err)
	}
}

func FuzzRecord(f *testing.F) {
	for _, name := range []string{"schema0.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"schema":1,"id":"x","started":"2026-11-23T15:00:00Z","groups":[{"name":"g","x":1},{"x":2}],"":{"/":0}}`))
	f.Add([]byte(`{"SCHEMA":1,"routes":null,"a":1,"a":2,"latency_s":{"p50":1e400}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r run.Record
		if json.Unmarshal(data, &r) != nil {
			return
		}
		once, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("Marshal of what Unmarshal took from %q: %v", data, err)
		}
		var again run.Record
		if err := json.Unmarshal(once, &again); err != nil {
			t.Fatalf("Unmarshal(%s): %v", once, err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(once) != string(twice) {
			t.Fatalf("written once %s\nwritten again %s, %v", once, twice, err)
		}
	})
}
