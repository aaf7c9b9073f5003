package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"balanceo/loadgen/promise"
	"balanceo/results/run"
	"balanceo/topology/ledger"
)

// Parts that meet begin together, also one whose clock is wrong, and their records tell how wrong each clock is.
func TestMeetWithAShiftedClock(t *testing.T) {
	log, err := ledger.OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	server := httptest.NewServer(ledger.New(log).Handler())
	defer server.Close()
	shifts := []time.Duration{0, -20 * time.Second, 0}
	plans, parts := make([]*plan, len(shifts)), make([]run.Part, len(shifts))
	var wg sync.WaitGroup
	for i, shift := range shifts {
		p := &plan{meetAt: server.URL, part: uint64(i), parts: uint64(len(shifts)), now: func() time.Time { return time.Now().Add(shift) }}
		plans[i] = p
		wg.Go(func() {
			if err := p.meetBefore(t.Context(), &promise.Promise{}); err != nil {
				t.Error(err)
			}
			parts[i] = *p.partOf(p.begin())
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, p := range plans {
		if !p.startAt.Equal(plans[0].startAt) {
			t.Errorf("part %d is to begin at %v, part 1 at %v", i+1, p.startAt, plans[0].startAt)
		}
		if wrong := p.begin().Sub(p.startAt.Add(shifts[i])).Abs(); wrong > p.clock.Bound {
			t.Errorf("part %d begins %v from when it should by its clock, want at most %v", i+1, wrong, p.clock.Bound)
		}
	}
	c := run.ClocksOf(parts)
	if !c.Known || c.Odd.Number != 2 || c.Surely > 20*time.Second || c.AtMost < 20*time.Second || c.Began > time.Millisecond {
		t.Errorf("the clocks of parts of which the second is 20 s behind: %+v", c)
	}
	if c := run.ClocksOf([]run.Part{parts[0], parts[2]}); !c.Known || c.Surely > 0 {
		t.Errorf("equal clocks: surely %v apart, want 0", c.Surely)
	}
}

// A ledger that is slow to tell the time, and does not at first, takes nothing from what is left until the parts begin.
func TestMeetAtASlowLedger(t *testing.T) {
	log, err := ledger.OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	handler, asked := ledger.New(log).Handler(), 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/meet/") {
			if asked++; asked == 1 {
				http.Error(w, "not yet", http.StatusServiceUnavailable)
				return
			}
			time.Sleep(lead / 6)
		}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	p := &plan{meetAt: server.URL, parts: 1, now: time.Now}
	if err := p.meetBefore(t.Context(), &promise.Promise{}); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(p.begin()); left < lead/2 {
		t.Errorf("%v are left until the beginning, want some %v", left, lead)
	}
}
