package randoms

import (
	"fmt"
	"os"
	"sync"
)

// turn lets other goroutines run, and among them those whose connection has become readable.
//
// runtime.Gosched is not enough: a goroutine that yields by it goes to the global queue, which the scheduler
// serves before it asks the kernel which connections are readable. With as many draws as processors nobody
// would ask, but for a background thread every 10 ms. So the goroutine waits for the kernel itself: it reads
// from a pipe into which another goroutine writes once this one waits. That costs some microseconds.
type turn struct {
	r, w   *os.File
	asked  chan struct{}
	writer sync.WaitGroup
}

func newTurn() (*turn, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe to wait on: %w", err)
	}
	t := &turn{r: r, w: w, asked: make(chan struct{}, 1)}
	t.writer.Go(func() {
		for range t.asked {
			_, _ = t.w.Write([]byte{0})
		}
	})
	return t, nil
}

// give returns when every goroutine that can run has had its chance.
func (t *turn) give() error {
	t.asked <- struct{}{}
	var one [1]byte
	if _, err := t.r.Read(one[:]); err != nil {
		return fmt.Errorf("pipe to wait on: %w", err)
	}
	return nil
}

func (t *turn) close() {
	close(t.asked)
	t.writer.Wait()
	_ = t.r.Close()
	_ = t.w.Close()
}
