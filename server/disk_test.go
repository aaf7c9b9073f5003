package main

import (
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// onFullDisk lets the command run where the folder "small" of its own is a disk that is full, in a mount namespace
// that ends with it. Nothing of this needs to be root where user namespaces may be made.
func onFullDisk(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	script := `mkdir small && mount -t tmpfs -o size=64k none small && { cat /dev/zero >small/filler || true; } 2>/dev/null && exec "$0" "$@"`
	full := exec.Command("unshare", append([]string{"--user", "--map-root-user", "--mount", "sh", "-c", script}, cmd.Args...)...)
	full.Dir, full.Env, full.SysProcAttr = cmd.Dir, append(slices.Clone(cmd.Env), "SCOREBOARD=small/scores"), cmd.SysProcAttr
	return full
}

// A full disk under the scoreboard costs the counts of the others, and no answer.
func TestFullDiskUnderTheScoreboard(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"FORK", "CLUSTER"} {
		p := startOn(t, listen(t), onFullDisk(t, command(t, "-m", mode, "-w", "2")))
		for range 20 {
			if res, body := p.get("/info"); res.StatusCode != http.StatusOK {
				t.Errorf("%s: /info: %s %s", mode, res.Status, body)
			}
		}
		m := metrics(t, p)
		if m.total("balanceo_scoreboard_shared", "", "") != 0 || m.total("balanceo_workers", "", "") != 1 {
			t.Errorf("%s: metrics %v, want those of one process that says so", mode, m)
		}
		if log := p.log.String(); !strings.Contains(log, "no scoreboard") || !strings.Contains(log, "small\\\" is full") {
			t.Errorf("%s: the log does not name the disk:\n%s", mode, log)
		}
		p.signal(syscall.SIGTERM)
		if code := p.end(); code != 0 {
			t.Errorf("%s: exit code = %d, want 0; log:\n%s", mode, code, p.log)
		}
	}
}
