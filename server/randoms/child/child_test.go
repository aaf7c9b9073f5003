package child

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A child draws before the program's other packages start: of those that are large none does.
func TestChildStartsNothingElse(t *testing.T) {
	program := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", program, "balanceo/server").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	started := func(args ...string) string {
		cmd := exec.Command(program, args...)
		cmd.Env = append(cmd.Environ(), "GODEBUG=inittrace=1")
		var said strings.Builder
		cmd.Stderr = &said
		if out, err := cmd.Output(); err != nil || len(out) == 0 {
			t.Fatalf("server %v: %v, %d bytes\n%s", args, err, len(out), said.String())
		}
		return said.String()
	}
	whole, child := started("--help"), started("draw", "10")
	for _, heavy := range []string{"FerretDB", "mongo-driver", "modernc.org", "fasthttp"} {
		if !strings.Contains(whole, heavy) {
			t.Errorf("server --help does not start %s: the test is worth nothing", heavy)
		}
		if strings.Contains(child, heavy) {
			t.Errorf("a child that draws starts %s", heavy)
		}
	}
}

func FuzzCalled(f *testing.F) {
	for _, s := range []string{"1", "0", "-1", "1e3", "", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := strconv.ParseInt(text, 10, 64)
		if n, ok := called([]string{"server", Argument, text}); ok != (err == nil && want > 0) || ok && int64(n) != want {
			t.Errorf("called(draw %q) = %d, %t", text, n, ok)
		}
	})
}
