package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"balanceo/topology/procs"
)

// endLeftover ends the nginx of an earlier layout in the same folder that has outlived its topology. On Linux
// the kernel sees to that; elsewhere nginx has nothing that tells it of its parent's death. A pid file whose
// pid means another process by now only goes.
func (f *Fleet) endLeftover(ctx context.Context) error {
	file := filepath.Join(f.nginxDir(), "nginx.pid")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("nginx: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil && pid > 1 && f.isOurs(ctx, pid) {
		f.Note("nginx: an earlier one still runs as pid %d and is ended", pid)
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("nginx of an earlier layout, pid %d: %w", pid, err)
		}
		ctx, cancel := context.WithTimeout(ctx, f.cfg.Grace)
		defer cancel()
		for f.isOurs(ctx, pid) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("nginx of an earlier layout, pid %d, does not end", pid)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("nginx: %w", err)
	}
	return nil
}

// isOurs tells whether the process is an nginx with the layout's own prefix.
func (f *Fleet) isOurs(ctx context.Context, pid int) bool {
	command, err := procs.Command(ctx, pid)
	return err == nil && strings.Contains(command, "nginx") && strings.Contains(command, "-p "+f.nginxDir()+"/")
}
