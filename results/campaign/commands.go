package campaign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"balanceo/topology/cli"
)

// Commands runs each step by the project's commands: topology brings a layout up, runs loadgen against it and takes
// it down.
type Commands struct {
	Topology string   // path of the command
	Loadgen  string   // path of the command
	Flags    []string // further flags of "topology run", as --free-ports
	Dir      string   // where loadgen writes its records
	Settings Settings
}

// grace is how long an interrupted step has to take its layout down before it is killed.
const grace = 30 * time.Second

// tailLines of a step's output are shown when it fails.
const tailLines = 12

// What is searched again and again needs no precision beyond the noise: the interval comes from the rounds.
const (
	searchPrecision = "5%"
	probeWarmup     = "500ms"
)

// Run implements Runner.
func (c *Commands) Run(ctx context.Context, step Step, rate float64, label string) error {
	args := append([]string{"run", "--layout", step.Side.Layout}, c.Flags...)
	if step.Side.Balancer != "" {
		args = append(args, "--balancer", step.Side.Balancer)
	}
	// The shell hands loadgen the target that only topology knows.
	args = append(args, "--", "sh", "-c", `exec "$0" -target "$BALANCEO_TARGET" "$@"`, c.Loadgen,
		"-rate", strconv.FormatFloat(rate, 'f', -1, 64), "-scenario", c.Settings.Scenario, "-label", label, "-out", c.Dir, "-quiet")
	if step.Kind == Search {
		args = append(args, "-find-max", c.Settings.SLO, "-find-precision", searchPrecision, "-duration", c.Settings.Probe.String(), "-warmup", probeWarmup)
	} else {
		args = append(args, "-duration", c.Settings.Duration.String(), "-warmup", c.Settings.Warmup.String())
	}
	cmd := exec.CommandContext(ctx, c.Topology, args...)
	// A group of its own: Ctrl-C on the terminal reaches only us, and we pass it on once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = grace
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) && exit.ExitCode() == cli.Verdict {
		return nil // a failed verdict is a measurement too
	}
	return fmt.Errorf("run of %q: %q: %w; it said: %s", step.Side.Name, c.Topology, err, tail(out.String()))
}

// tail is the last lines of a text.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
