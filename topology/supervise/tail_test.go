package supervise

import (
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	for _, tt := range []struct {
		writes []string
		want   string
	}{
		{nil, ""},
		{[]string{"one\ntwo\n"}, "two"},
		{[]string{"o", "ne\nhal", "f"}, "half"},
		{[]string{"one\n\n  \n"}, "one"},
		{[]string{"one\r\n"}, "one"},
		{[]string{"one\nhint: two\n"}, "one"},
		{[]string{"panic: no cheese\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:5 +0x1d\n"}, "panic: no cheese"},
		{[]string{strings.Repeat("x", 10_000) + "\n"}, strings.Repeat("x", tailLineBytes)},
	} {
		var l tail
		for _, w := range tt.writes {
			if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("Write(%.40q) = %d, %v", w, n, err)
			}
		}
		if got := l.last(); got != tt.want {
			t.Errorf("last after %.60q = %.60q, want %.60q", tt.writes, got, tt.want)
		}
	}
}
