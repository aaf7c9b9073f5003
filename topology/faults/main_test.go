//go:build e2e

package faults

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

var (
	table = flag.String("table", "", "page on which the table is kept")
	rate  = flag.Int("rate", 300, "requests per second")
)

// bin is a folder with the programs.
var bin string

// apart is set in the environment of a process that runs in namespaces of its own.
const apart = "BALANCEO_FAULTS_APART"

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := tryApart()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if code >= 0 {
		os.Exit(code)
	}
	os.Exit(withPrograms(m))
}

// tryApart runs the tests again with a network and mounts of their own, and returns their exit code; -1 where this
// process is to go on itself.
func tryApart() (int, error) {
	if os.Getenv(apart) != "" {
		return -1, settleApart()
	}
	if testing.Short() || os.Geteuid() != 0 {
		return -1, nil
	}
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), apart+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "faults: no namespaces of their own:", err)
		return -1, nil
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// settleApart makes the new namespaces usable.
func settleApart() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts of their own: %w", err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("a network of their own: %w: %s", err, out)
	}
	return nil
}

func withPrograms(m *testing.M) int {
	dir, err := os.MkdirTemp("", "faults")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin = filepath.Join(dir, "bin")
	out, err := exec.Command("go", "build", "-o", bin+"/", "balanceo/server", "balanceo/topology", "balanceo/loadgen").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
