package keeper

import (
	"fmt"
	"strings"
	"testing"
)

func TestDisk(t *testing.T) {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	d := &disk{dir: "/d"}
	for _, tt := range []struct {
		free, files uint64
		notes       int
		problem     string
	}{
		{1 << 30, 100, 0, ""},
		{1 << 10, 100, 1, "the disk under /d is full"},
		{2 << 10, 100, 1, "the disk under /d is full"},
		{1 << 30, 100, 2, ""},
		{1 << 30, 0, 3, "the disk under /d can't take another file"},
	} {
		d.look(tt.free, tt.files, note)
		if got := d.problem(); !strings.HasPrefix(got, tt.problem) || (got == "") != (tt.problem == "") || len(notes) != tt.notes {
			t.Errorf("%d bytes, %d files: got %q, notes %q, want %q", tt.free, tt.files, got, notes, tt.problem)
		}
	}
}
