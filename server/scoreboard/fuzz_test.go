package scoreboard

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzOpen opens files that begin with anything. Whatever they hold, the board works afterwards.
func FuzzOpen(f *testing.F) {
	b := &Board{labels: newLabels(testRoutes)}
	f.Add([]byte{}, true)
	f.Add(b.header(), true)
	f.Add(b.header(), false)
	f.Add(append(b.header(), make([]byte, headerSize)...), true)
	dirty := make([]byte, headerSize+3*slotSize)
	for i := range dirty {
		dirty[i] = 0xff
	}
	copy(dirty, b.header())
	f.Add(dirty, true)
	f.Fuzz(func(t *testing.T, content []byte, whole bool) {
		path := filepath.Join(t.TempDir(), "scores")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if whole {
			if err := os.Truncate(path, fileSize); err != nil {
				t.Fatal(err)
			}
		}
		b, err := Open(path, testRoutes)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		defer b.Close()
		s, err := b.Join()
		if err != nil {
			t.Fatalf("Join: %v", err)
		}
		before := requests(s)
		s.Count([]byte("/info"), []byte("GET"), 200)
		if after := requests(s); after != before+1 {
			t.Errorf("%d requests after one more than %d", after, before)
		}
		if len(s.AppendMetrics(nil)) == 0 {
			t.Error("no metrics")
		}
	})
}
