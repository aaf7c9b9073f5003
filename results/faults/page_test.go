package faults

import "testing"

func TestPut(t *testing.T) {
	for _, tt := range []struct{ page, want string }{
		{"", "# Faults and abuse\n\n## B\n\nnew\n"},
		{"# T\n\n## A\n\na\n", "# T\n\n## A\n\na\n\n## B\n\nnew\n"},
		{"# T\n\n## B\n\nold\n", "# T\n\n## B\n\nnew\n"},
		{"# T\n\n## B\n\nold\n### x\n\n## C\n\nc\n", "# T\n\n## B\n\nnew\n\n## C\n\nc\n"},
		{"# T\n\n## A\n\na\n\n## B\n\nold\n\n## C\n\nc\n", "# T\n\n## A\n\na\n\n## B\n\nnew\n\n## C\n\nc\n"},
	} {
		if got := put(tt.page, "B", "\nnew\n"); got != tt.want {
			t.Errorf("put(%q): got %q, want %q", tt.page, got, tt.want)
		}
	}
}
