package ledger

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// serve runs a ledger until the test ends, and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	log, err := OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(New(log).Handler())
	t.Cleanup(func() {
		s.Close()
		_ = log.Close()
	})
	return s.URL
}

// until calls f until it is true; it is a failure where that takes a minute.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func counts(t *testing.T, url string) *Counts {
	t.Helper()
	c, err := AskCounts(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A server's count is known while it runs and after it has ended.
func TestTeller(t *testing.T) {
	url := serve(t)
	var n atomic.Int64
	teller := Tell(t.Context(), url+PathCounts+"a", "a-1", n.Load)
	n.Store(7)
	until(t, "the count of a running server", func() bool { return counts(t, url).Instances["a"]["a-1"].Requests == 7 })
	n.Store(9)
	if err := teller.End(); err != nil {
		t.Fatal(err)
	}
	if p := counts(t, url).Instances["a"]["a-1"]; p.Requests != 9 || !p.Ended {
		t.Errorf("after its end: got %+v, want 9 requests of a process that has ended", p)
	}
	var none *Teller
	if err := none.End(); err != nil {
		t.Errorf("the end of none: %v", err)
	}
}

// What comes late does not take a count back.
func TestCountsGrow(t *testing.T) {
	url := serve(t)
	for _, n := range []int64{5, 3} {
		teller := &Teller{url: url + PathCounts + "a/1"}
		if err := teller.put(t.Context(), n, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := counts(t, url).Instances["a"]["1"].Requests; got != 5 {
		t.Errorf("after 5 and then 3: got %d, want 5", got)
	}
}

// All lines of all sources come to the reader once, whole, however they were written, also those of a source that
// ends.
func TestShip(t *testing.T) {
	url := serve(t)
	r, err := ReadLog(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	const lines = 2000
	var wg sync.WaitGroup
	for _, source := range []string{"x", "y"} {
		file := filepath.Join(t.TempDir(), "access.log")
		ctx, end := context.WithCancel(t.Context())
		shipped := make(chan error, 1)
		go func() { shipped <- Ship(ctx, file, url, source) }()
		wg.Go(func() {
			defer end()
			f, err := os.Create(file)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			for i := range lines {
				text := fmt.Sprintf("%s %d\n", source, i)
				_, _ = f.WriteString(text[:1])
				_, _ = f.WriteString(text[1:])
			}
		})
		t.Cleanup(func() {
			if err := <-shipped; err != nil {
				t.Error(err)
			}
		})
	}
	next := map[string]int{}
	until(t, "all lines", func() bool {
		err := r.Lines(t.Context(), func(line []byte) {
			source, n, _ := strings.Cut(string(line), " ")
			if n != strconv.Itoa(next[source]) {
				t.Fatalf("source %s: got line %s, want %d", source, n, next[source])
			}
			next[source]++
		})
		if err != nil {
			t.Fatal(err)
		}
		return next["x"] == lines && next["y"] == lines
	})
	wg.Wait()
}

// What a source sends again, because it did not hear that it had come, is taken once.
func TestLogAgain(t *testing.T) {
	log, err := OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, tt := range []struct {
		at   int64
		text string
		next int64
		err  bool
	}{
		{0, "one\n", 4, false}, {0, "one\n", 4, false}, {0, "one\ntwo\n", 8, false}, {20, "five\n", 8, true}, {8, "three\n", 14, false},
	} {
		next, err := log.add("s", tt.at, []byte(tt.text))
		if next != tt.next || (err != nil) != tt.err {
			t.Errorf("add %q at %d: got %d, %v; want %d, error %v", tt.text, tt.at, next, err, tt.next, tt.err)
		}
	}
	if next, err := log.add("later", 100, []byte("late\n")); next != 105 || err != nil {
		t.Errorf("a source that has told a ledger before: got %d, %v; want 105", next, err)
	}
	all, err := log.since(0)
	if want := "one\ntwo\nthree\nlate\n"; err != nil || string(all) != want {
		t.Errorf("log: got %q, %v; want %q", all, err, want)
	}
	if _, err := log.since(1000); err == nil {
		t.Error("from behind its end: no error")
	}
}

// A ledger that has begun anew is no continuation of the one before.
func TestReaderAnew(t *testing.T) {
	var epoch atomic.Value
	epoch.Store("1")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(headerEpoch, epoch.Load().(string))
		w.Header().Set(headerNext, "0")
	}))
	defer s.Close()
	r, err := ReadLog(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	epoch.Store("2")
	if err := r.Lines(t.Context(), func([]byte) {}); err == nil || !strings.Contains(err.Error(), "begun anew") {
		t.Errorf("lines of another ledger: got %v, want an error", err)
	}
}

func TestMeet(t *testing.T) {
	url := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Meet(ctx, url, "m", 0, 3); err == nil {
		t.Fatal("one of three met the others")
	}
	var wg sync.WaitGroup
	times := make([]time.Time, 3)
	for part := range times {
		wg.Go(func() {
			var err error
			if times[part], err = Meet(t.Context(), url, "m", part, 3); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if times[0].IsZero() || times[0] != times[1] || times[1] != times[2] {
		t.Errorf("parts got the times %v, want the same", times)
	}
	if _, err := Meet(t.Context(), url, "n", 0, 1); err != nil {
		t.Errorf("a load of one part: %v", err)
	}
}

// A clock that is shifted is so by as much, give or take half a round trip; one that is not, is not.
func TestAskClock(t *testing.T) {
	url := serve(t)
	for _, shift := range []time.Duration{0, 2 * time.Second, -time.Hour} {
		c, err := AskClock(t.Context(), url, func() time.Time { return time.Now().Add(shift) })
		if err != nil {
			t.Fatal(err)
		}
		if wrong := (c.Offset - shift).Abs(); wrong > c.Bound {
			t.Errorf("a clock shifted by %v: got %v ± %v", shift, c.Offset, c.Bound)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*shipPeriod)
	defer cancel()
	if _, err := AskClock(ctx, url+"/nowhere", time.Now); err == nil {
		t.Error("where there is no ledger: no error")
	}
}
