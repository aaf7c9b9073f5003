package randoms

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
)

// Processes draws like Drawer, but each draw in a child process of its own: this program, called with an
// argument that makes it draw. Its methods may be called from any goroutine.
type Processes struct {
	gate       gate
	executable string
	argument   string
}

// NewProcesses makes a Processes with that many children at a time. A child is called with argument and the
// number of numbers; it is to write its Counts, by Write, to its standard output.
func NewProcesses(lanes int, argument string) (*Processes, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("own executable: %w", err)
	}
	return &Processes{gate: newGate(lanes), executable: executable, argument: argument}, nil
}

// Draw draws n numbers. It gives up with ctx, which ends the child, and at once with ErrBusy if too much is
// waiting already.
func (p *Processes) Draw(ctx context.Context, n int64) (Counts, error) {
	release, err := p.gate.enter(ctx, n)
	if err != nil {
		return nil, err
	}
	defer release()
	// The kernel ends the child with the thread that started it: keep the thread for as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, p.executable, p.argument, strconv.FormatInt(n, 10))
	cmd.SysProcAttr = diesWithParent()
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("drawing: %w", context.Cause(ctx))
		}
		return nil, fmt.Errorf("child that draws: %w: %s", err, bytes.TrimSpace(complaints.Bytes()))
	}
	return readCounts(&out, n)
}

// Write writes the counts for another process of this program.
func (c Counts) Write(w io.Writer) error {
	b := make([]byte, 0, Max*8)
	for _, n := range c {
		b = binary.NativeEndian.AppendUint64(b, n)
	}
	_, err := w.Write(b)
	return err
}

// readCounts reads what Write has written, of a draw of n numbers.
func readCounts(b *bytes.Buffer, n int64) (Counts, error) {
	if b.Len() != Max*8 {
		return nil, fmt.Errorf("child that draws: wrote %d bytes, not %d", b.Len(), Max*8)
	}
	counts := make(Counts, Max)
	for i := range counts {
		counts[i] = binary.NativeEndian.Uint64(b.Next(8))
	}
	if counts.Sum() != uint64(n) {
		return nil, errors.New("child that draws: the counts do not sum up")
	}
	return counts, nil
}
