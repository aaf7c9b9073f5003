package run_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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
	r := longRecord()
	fmt.Println("writing")
	for i := 0; ; i++ {
		r.ID = fmt.Sprintf("run-%d", i%3) // new files and replaced ones
		if _, err := run.Write(dir, r); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
}

func longRecord() *run.Record {
	r := runtest.Record(runtest.Spec{})
	r.Warnings = []string{strings.Repeat("A long record takes longer to write. ", 5_000)}
	return r
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

	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.DevNull, filepath.Join(dir, "device.json")); err != nil {
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
		"pipe.json": "no regular file", "device.json": "no regular file", "copy.json": "once more", "cut.json": "not JSON in line", "empty.json": "empty", "list.json": "array",
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

// awaitTemporary returns as soon as a writer has opened its file.
func awaitTemporary(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if open, _ := filepath.Glob(filepath.Join(dir, ".*")); len(open) > 0 {
			return
		}
	}
	t.Fatal("the writer opens no file")
}

// TestKilledWhileWriting kills a writer 200 times and reads what it left: every other time while its file is open, else
// at any moment.
func TestKilledWhileWriting(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	began := time.Now()
	if _, err := run.Write(dir, longRecord()); err != nil {
		t.Fatal(err)
	}
	takes := time.Since(began) // a write, as fast as this machine is just now
	moments := rand.New(rand.NewPCG(1, 2))
	cut := 0 // rounds in which a temporary file was left: the kill came while writing
	for round := range 200 {
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
		if !lines.Scan() || lines.Text() != "writing" {
			t.Errorf("round %d: the writer says %q", round, lines.Text())
		}
		if round%2 == 0 {
			awaitTemporary(t, dir)
		} else {
			time.Sleep(time.Duration(moments.Int64N(int64(3 * takes))))
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()

		runs, damaged, err := run.List(dir)
		if err != nil || len(damaged) > 0 {
			t.Fatalf("round %d: List = %d runs, damaged %v, error %v; want runs only", round, len(runs), damaged, err)
		}
		left, err := filepath.Glob(filepath.Join(dir, ".*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) > 0 {
			cut++
		}
		for _, path := range left {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		}
	}
	if runs, _, _ := run.List(dir); cut < 20 || len(runs) == 0 {
		t.Errorf("%d of 200 kills came while a file was written, %d runs are there; want 20 and one at least", cut, len(runs))
	}
}

func TestValue(t *testing.T) {
	r := runtest.Record(runtest.Spec{Seed: 1, Label: "x"})
	for _, c := range []struct {
		path, want string
		ok, err    bool
	}{
		{"layout", "seed", true, false},
		{"requested_rate", "200", true, false},
		{"requests", "3000", true, false},
		{"env.cores", "2", true, false},
		{"status.200", "3000", true, false},
		{"started", "2026-11-23T15:00:00Z", true, false},
		{"servers.rss_bytes", strconv.FormatInt(r.Servers.RSS, 10), true, false},
		{"reconciliation.nginx", "3000", true, false},
		{"search.max_rate", "", false, false}, // no search
		{"pace.x", "", false, false},
		{"nothing", "", false, false},
		{"", "", false, false},
		{"groups", "", false, true},
		{"env", "", false, true},
	} {
		got, ok, err := r.Value(c.path)
		if got != c.want || ok != c.ok || (err != nil) != c.err {
			t.Errorf("Value(%q) = %q, %v, %v; want %q, %v, error %v", c.path, got, ok, err, c.want, c.ok, c.err)
		}
	}
}

func TestResolve(t *testing.T) {
	var runs []*run.Record
	for i, id := range []string{"20261123-150000-aaaa11", "20261123-150100-aaab22", "20261124-090000-cccc33"} {
		runs = append(runs, &run.Record{ID: id, Started: time.Unix(int64(i), 0), Responses: 1})
	}
	// Nothing was answered in the last one.
	runs = append(runs, &run.Record{ID: "20261125-090000-dddd44", Started: time.Unix(9, 0), Requests: 10})
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
	if _, err := run.Resolve(runs[3:], "latest"); !errors.Is(err, run.ErrNoAnswers) {
		t.Errorf("Resolve(latest) where nothing was ever answered = %v, want ErrNoAnswers", err)
	}
	if _, err := run.Resolve(nil, "latest"); !errors.Is(err, run.ErrNoRuns) {
		t.Errorf("Resolve without runs = %v, want ErrNoRuns", err)
	}
}

// FuzzRecord: whatever a file holds, Decode takes it as a record that passes Check and is the same when written and
// read again, or refuses it in one line.
func FuzzRecord(f *testing.F) {
	whole, err := json.Marshal(runtest.Record(runtest.Spec{Seed: 1, Errors: 2, Capacity: 900, Duration: 2 * time.Second}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(`{"schema":1,"id":"x","started":"2026-11-23T15:00:00Z","groups":[{"name":"g","verdict":"pass"}],"":{"/":0}}`))
	f.Add([]byte(`{"SCHEMA":1,"routes":null,"a":1,"a":2,"latency_s":{"p50":1e400}}`))
	f.Add([]byte(`{"schema":2,"id":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := run.Decode(data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("Decode(%q) refuses in several lines: %v", data, err)
			}
			return
		}
		once, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("Marshal of what Decode took from %q: %v", data, err)
		}
		again, err := run.Decode(once)
		if err != nil {
			t.Fatalf("Decode(%s): %v", once, err)
		}
		if twice, err := json.Marshal(again); err != nil || string(once) != string(twice) {
			t.Fatalf("written once %s\nwritten again %s, %v", once, twice, err)
		}
	})
}
