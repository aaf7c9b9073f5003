package randoms

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"balanceo/server/randoms/sample"
)

func sumOf(t *testing.T, body []byte) (sum uint64) {
	t.Helper()
	var decoded map[string]uint64
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for k, n := range decoded {
		if number, err := strconv.Atoi(k); err != nil || number < 1 || number > sample.Max || n == 0 {
			t.Errorf("%q is counted %d times, want numbers in 1..%d", k, n, sample.Max)
		}
		sum += n
	}
	return sum
}

func TestDrawSumsUp(t *testing.T) {
	processes, err := NewProcesses(1)
	if err != nil {
		t.Fatal(err)
	}
	local := NewLocal(1)
	for _, n := range []int64{1, 5, 6, 7, 50, 20_000, chunk, chunk + 1, 3*chunk + 4} {
		for how, draw := range map[string]func(context.Context, []byte, int64) ([]byte, error){"local": local.AppendJSON, "process": processes.AppendJSON} {
			body, err := draw(t.Context(), nil, n)
			if err != nil {
				t.Fatalf("%s: %d numbers: %v", how, n, err)
			}
			if got := sumOf(t, body); got != uint64(n) {
				t.Errorf("%s: %d numbers sum up to %d", how, n, got)
			}
		}
	}
}

func TestQueueBoundsWhatWaits(t *testing.T) {
	q := newQueue(1, 10)
	const first = backlogEach - 30
	if err := q.enter(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := q.enter(t.Context(), 11); !errors.Is(err, ErrBusy) {
		t.Errorf("enter beyond the backlog: %v, want ErrBusy", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.enter(ctx, 5); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting to draw") {
		t.Errorf("enter with a cancelled context: %v, want context.Canceled", err)
	}
	q.leave(first)
	if err := q.enter(t.Context(), 2*backlogEach); err != nil {
		t.Errorf("enter alone with more than the backlog: %v", err)
	} else {
		q.leave(2 * backlogEach)
	}
	if n := q.numbers.Load(); n != 0 {
		t.Errorf("afterwards %d numbers are in the queue, want 0", n)
	}
}

// Of many small draws in processes of their own no more wait than are done in about a second: it is processes
// that take the time, not numbers.
func TestFewProcessesWait(t *testing.T) {
	p, err := NewProcesses(1)
	if err != nil {
		t.Fatal(err)
	}
	const asked = 1000
	p.queue.places <- struct{}{} // nobody gets on
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	refused, gaveUp := make(chan struct{}, asked), make(chan struct{}, asked)
	for range asked {
		all.Go(func() {
			switch _, err := p.AppendJSON(ctx, nil, 10); {
			case errors.Is(err, ErrBusy):
				refused <- struct{}{}
			case errors.Is(err, context.Canceled):
				gaveUp <- struct{}{}
			default:
				t.Errorf("AppendJSON = %v", err)
			}
		})
	}
	const most = backlogEach / processCost
	for range asked - most {
		<-refused
	}
	cancel()
	all.Wait()
	if len(gaveUp) == 0 || len(gaveUp) > most {
		t.Errorf("%d of %d draws waited for their process, want 1 to %d", len(gaveUp), asked, most)
	}
}

func TestDrawGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewLocal(1).AppendJSON(ctx, nil, 10*chunk); !errors.Is(err, context.Canceled) {
		t.Errorf("AppendJSON = %v, want context.Canceled", err)
	}
}

func TestSmallDrawAllocatesNothing(t *testing.T) {
	l, body := NewLocal(1), make([]byte, 0, 1<<16)
	got := testing.AllocsPerRun(100, func() { _, _ = l.AppendJSON(context.Background(), body, 1000) })
	if got >= 1 { // the pool loses a sampler now and then, under the race detector often
		if !raceEnabled {
			t.Errorf("a draw of 1000 allocates %v times, want none", got)
		}
	}
}
