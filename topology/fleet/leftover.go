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

// endLeftover ends the balancer of an earlier layout in the same folder that has outlived its topology. On Linux
// the kernel sees to that; elsewhere it has nothing that tells it of its parent's death. A pid file whose
// pid means another process by now only goes.
func (f *Fleet) endLeftover(ctx context.Context) error {
	name := f.cfg.Balancer.Name()
	file := filepath.Join(f.site.Dir, name+".pid")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil && pid > 1 && f.isOurs(pid) {
		f.Note("%s: an earlier one still runs as pid %d and is ended", name, pid)
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("%s of an earlier layout, pid %d: %w", name, pid, err)
		}
		ctx, cancel := context.WithTimeout(ctx, f.cfg.Grace)
		defer cancel()
		for f.isOurs(pid) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s of an earlier layout, pid %d, does not end", name, pid)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// isOurs tells whether the process is a balancer that works in the layout's own folder.
func (f *Fleet) isOurs(pid int) bool {
	command, err := procs.Command(pid)
	return err == nil && strings.Contains(command, f.site.Dir+"/")
}
