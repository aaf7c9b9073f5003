// Package environment tells where a run takes place: the machine, its system, and the versions of what takes part. It asks
// programs for their version, and runs nothing else.
package environment

import (
	"context"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"balanceo/results/run"
)

// Place is what is known of the target.
type Place struct {
	Here     bool   // it is on this machine
	Ours     bool   // it is a layout of ours
	Database string // empty: not known
	Balancer string // and its version; empty: not known
}

// Unknown stands for what can't be found out from here.
const Unknown = "unknown"

// Read tells where a run takes place: what balances and what answers there, not what this machine has as well.
func Read(ctx context.Context, p Place) run.Env {
	e := run.Env{OS: Unknown, CPU: Unknown, Nginx: Unknown, Database: p.Database, Balancer: p.Balancer}
	if p.Here {
		e.OS, e.CPU, e.Cores = osName(), cpuModel(), runtime.NumCPU()
	}
	if p.Here && p.Ours { // built together with this program, and started from the same PATH
		e.Go, e.Commit = runtime.Version(), commit(ctx)
		if e.Nginx = ""; strings.HasPrefix(p.Balancer, "nginx ") {
			e.Nginx = p.Balancer[len("nginx "):]
		}
	}
	return e
}

// commit is the one this program was built from; where it was built without, that of the current folder.
func commit(ctx context.Context) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		if c := buildCommit(info); c != "" {
			return c
		}
	}
	out, err := output(ctx, "git", "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// buildCommit is the commit's first twelve digits, with a plus where the sources differed from it.
func buildCommit(info *debug.BuildInfo) string {
	var revision, changed string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + changed
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}
