package run

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// Records are found between whatever else a container's log has of loadgen.
func TestScan(t *testing.T) {
	var log bytes.Buffer
	for _, id := range []string{"a", "b"} {
		text, err := json.MarshalIndent(&Record{Schema: Schema, ID: id, Started: time.Now(), Requests: 1}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		lines := slices.Insert(strings.SplitAfter(string(text)+"\n", "\n"), 3, "loadgen: the run is invalid: it was late\n", "hint: {\n")
		log.WriteString(strings.Join(lines, ""))
	}
	got, err := Scan(&log)
	if err != nil || len(got) != 2 || got[0].ID != "a" || got[1].ID != "b" {
		t.Errorf("got %v, %v; want records a and b", got, err)
	}
	for _, text := range []string{"{", "{}", "no record\n"} {
		if got, err := Scan(strings.NewReader(text)); err == nil {
			t.Errorf("Scan(%q): got %v, want an error", text, got)
		}
	}
}
