package news_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"balanceo/server/news"
)

// limit bounds one step of a test. It is long: steps wait for events.
const limit = time.Minute

func broker(t testing.TB) (b *news.Broker, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b = news.NewBroker(ln, func() []byte { return []byte("hello") })
	t.Cleanup(func() {
		if err := b.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return b, ln.Addr().String()
}

// reader is a listener that remembers.
type reader struct {
	*news.Listener
	stop context.CancelFunc
	got  chan string
	gone chan error
}

// listen starts a listener; hold, if not nil, is called with each item before it is taken in.
func listen(t testing.TB, b *news.Broker, addr string, hold func(item string)) *reader {
	t.Helper()
	l, err := news.Listen(t.Context(), addr, b.Token())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &reader{Listener: l, stop: stop, got: make(chan string, 100_000), gone: make(chan error, 1)}
	var work sync.WaitGroup
	work.Go(func() {
		r.gone <- l.Run(ctx, func(item []byte) {
			if hold != nil {
				hold(string(item))
			}
			r.got <- string(item)
		})
	})
	t.Cleanup(func() { stop(); work.Wait() })
	return r
}

func (r *reader) next(t testing.TB) string {
	t.Helper()
	select {
	case item := <-r.got:
		return item
	case err := <-r.gone:
		t.Fatalf("the listener ended: %v", err)
	case <-time.After(limit):
		t.Fatal("nothing was heard")
	}
	return ""
}

// lease waits until the listener has a lease.
func (r *reader) lease(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(limit); !r.Current(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no lease was granted")
		}
	}
}

func tell(b *news.Broker, item string) {
	b.Tell(func() ([][]byte, error) { return [][]byte{[]byte(item)}, nil })
}

func TestEveryListenerHearsEveryItemInOrder(t *testing.T) {
	t.Parallel()
	b, addr := broker(t)
	readers := []*reader{listen(t, b, addr, nil), listen(t, b, addr, nil), listen(t, b, addr, nil)}
	for n, r := range readers {
		if string(r.Greeting) != "hello" {
			t.Errorf("listener %d was greeted with %q", n, r.Greeting)
		}
	}
	const items = 500
	for i := range items {
		tell(b, strconv.Itoa(i))
	}
	for n, r := range readers {
		for i := range items {
			if got := r.next(t); got != strconv.Itoa(i) {
				t.Fatalf("listener %d heard %q, want %d", n, got, i)
			}
		}
	}
}

func TestStrangersHearNothing(t *testing.T) {
	t.Parallel()
	_, addr := broker(t)
	if _, err := news.Listen(t.Context(), addr, "guessed"); err == nil {
		t.Error("a listener with a wrong token was welcome")
	}
}

// What cannot be told makes everybody start over.
func TestUnknownChangeEndsAllConnections(t *testing.T) {
	t.Parallel()
	b, addr := broker(t)
	r := listen(t, b, addr, nil)
	r.lease(t)
	b.Tell(func() ([][]byte, error) { return nil, errors.New("unknown") })
	select {
	case <-r.gone:
	case <-time.After(limit):
		t.Fatal("the listener goes on")
	}
	if r.Current() {
		t.Error("the lease outlasts the connection")
	}
}

// Settle is back at once where all have heard, and where one has not, not before its lease is over.
func TestSettleWaitsForTheLeaseOfWhoDoesNotHear(t *testing.T) {
	t.Parallel()
	b, addr := broker(t)
	time.Sleep(news.Life) // a broker before this one may have granted leases
	release := make(chan struct{})
	stuck := listen(t, b, addr, func(item string) {
		if item == "last" {
			<-release
		}
	})
	t.Cleanup(func() { close(release) })
	quick := listen(t, b, addr, nil)
	stuck.lease(t)
	quick.lease(t)
	tell(b, "first")
	stuck.next(t)
	quick.next(t)
	if err := quick.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	stuck.lease(t)
	tell(b, "last")
	quick.next(t)
	if err := quick.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stuck.Current() {
		t.Error("Settle is back, and a listener that has not heard the last item relies on what it knows")
	}
}

// No lease that is asked for while a change is on its way arrives before the change.
func TestNoLeaseWhileAChangeIsOnItsWay(t *testing.T) {
	t.Parallel()
	b, addr := broker(t)
	r := listen(t, b, addr, nil)
	ready := make(chan struct{})
	b.Tell(func() ([][]byte, error) { <-ready; return [][]byte{[]byte("change")}, nil })
	deadline := time.Now().Add(2 * news.Life)
	for time.Now().Before(deadline) {
		if r.Current() {
			t.Fatal("a lease was granted before the change was told")
		}
		time.Sleep(time.Millisecond)
	}
	close(ready)
	r.lease(t)
	if got := r.next(t); got != "change" {
		t.Errorf("heard %q, want the change", got)
	}
}

// A listener whose connection is cut on the way may rely on its lease, without the broker hearing of it.
func TestSettleWaitsForWhoIsCutOff(t *testing.T) {
	t.Parallel()
	b, addr := broker(t)
	time.Sleep(news.Life)
	quick := listen(t, b, addr, nil)
	cut := listen(t, b, addr, nil)
	cut.lease(t)
	granted := time.Now()
	b.Tell(func() ([][]byte, error) { return nil, errors.New("cuts all") }) // as a broken network would
	<-cut.gone
	<-quick.gone
	again := listen(t, b, addr, nil)
	if err := again.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := news.Life - time.Since(granted); left > news.Life/10 {
		t.Errorf("Settle is back %v before the lease of a listener that was cut off is over", left)
	}
}

// A listener that says goodbye keeps nobody waiting.
func TestSettleDoesNotWaitForWhoHasLeft(t *testing.T) {
	t.Parallel()
	b, addr := broker(t)
	time.Sleep(news.Life)
	stays := listen(t, b, addr, nil)
	for range 20 { // in one of them the machine lets it be quick enough
		leaves := listen(t, b, addr, nil)
		leaves.lease(t)
		began := time.Now()
		leaves.stop()
		<-leaves.gone
		tell(b, "item")
		if err := stays.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) < news.Life/2 {
			return
		}
	}
	t.Error("Settle waited each time for a listener that had left")
}

// Under load no listener uses what was settled to have changed.
func TestNobodyReliesOnWhatIsSettled(t *testing.T) {
	t.Parallel()
	b, addr := broker(t)
	var truth atomic.Int64 // what the listeners keep a copy of
	type copied struct {
		*reader
		mu    sync.Mutex
		value int64
	}
	var copies []*copied
	for i := range 4 {
		c := &copied{}
		c.reader = listen(t, b, addr, func(string) {
			if i == 3 {
				time.Sleep(time.Duration(truth.Load()%5) * 100 * time.Millisecond) // late, sometimes
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.value = truth.Load()
		})
		copies = append(copies, c)
	}
	ctx, stop := context.WithCancel(t.Context())
	var settledTo, used atomic.Int64
	var readers sync.WaitGroup
	for i, c := range copies {
		readers.Go(func() {
			for ctx.Err() == nil {
				least := settledTo.Load()
				if c.Current() {
					c.mu.Lock()
					got := c.value
					c.mu.Unlock()
					used.Add(1)
					if got < least {
						t.Errorf("listener %d uses %d after %d was settled", i, got, least)
						return
					}
				}
				time.Sleep(50 * time.Microsecond)
			}
		})
	}
	for range 30 {
		now := truth.Add(1)
		tell(b, "changed")
		if err := copies[0].Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		settledTo.Store(now)
	}
	stop()
	readers.Wait()
	if used.Load() == 0 {
		t.Error("no listener ever had a lease")
	}
}
