package randoms

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"balanceo/server/randoms/child"
)

// Processes draws like Local, but each draw in a child process of its own: this program again, which package
// child makes draw. Its methods may be called from any goroutine.
type Processes struct {
	queue      *queue
	executable string
}

// NewProcesses makes a Processes with at most that many children at a time.
func NewProcesses(atOnce int) (*Processes, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("own executable: %w", err)
	}
	return &Processes{queue: newQueue(atOnce, processCost), executable: executable}, nil
}

// AppendJSON draws n numbers and appends their counts to b. It gives up with ctx, which ends the child, and at
// once with ErrBusy if too much is waiting already.
func (p *Processes) AppendJSON(ctx context.Context, b []byte, n int64) ([]byte, error) {
	if err := p.queue.enter(ctx, n); err != nil {
		return b, err
	}
	defer p.queue.leave(n)
	// The kernel ends the child with the thread that started it: keep the thread for as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, p.executable, child.Argument, strconv.FormatInt(n, 10))
	cmd.SysProcAttr = ofItsOwn()
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return b, fmt.Errorf("drawing: %w", context.Cause(ctx))
		}
		return b, fmt.Errorf("child that draws: %w: %s", err, bytes.TrimSpace(complaints.Bytes()))
	}
	return append(b, out.Bytes()...), nil
}
