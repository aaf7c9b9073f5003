package ui

import (
	"math"
	"testing"
	"time"
)

func answered(ended, took int64, addrs ...string) *request {
	r := &request{ended: ended, took: took, group: "g", status: 200}
	for i, a := range addrs {
		r.attempts = append(r.attempts, attempt{addr: a, answered: i == len(addrs)-1, took: took})
	}
	return r
}

func TestSummary(t *testing.T) {
	var c cell
	for i := range 200 {
		c.add(int64(200 - i)) // 1 to 200 ms
	}
	if s := c.summary(); s.P50 != 100 || s.P99 != 198 || s.Requests != 200 {
		t.Errorf("of 1 to 200 ms: got p50 %d, p99 %d, %d requests", s.P50, s.P99, s.Requests)
	}
	var none cell
	if s := none.summary(); s.P50 != -1 || s.P99 != -1 {
		t.Errorf("of nothing: got p50 %d, p99 %d, want -1", s.P50, s.P99)
	}
}

// What is given out as complete stays as it is, whoever logs late.
func TestCounts(t *testing.T) {
	const second = int64(1_795_813_893)
	c := newCounts()
	now := time.UnixMilli(second * 1000)
	c.close(now)
	late := int64(700)
	for i := range int64(40) { // two seconds, each line 700 ms after its request
		ended := second*1000 + i*50
		c.add(answered(ended, 5, "a", "b"), ended+late)
		failed := answered(ended, 9, "a")
		failed.status = 502
		c.add(failed, ended+late)
	}
	var rows []row
	for i := range 24 {
		rows = append(rows, c.close(now.Add(time.Duration(i)*250*time.Millisecond))...)
	}
	var n int
	for i, r := range rows {
		if i > 0 && r.At != rows[i-1].At+1 {
			t.Errorf("row of second %d after %d", r.At, rows[i-1].At)
		}
		if r.At != second {
			continue
		}
		n++
		if g := r.Groups["g"]; g.Requests != 40 || g.Errors != 20 || g.Retried != 20 || g.P50 != 5 || g.P99 != 9 {
			t.Errorf("group: got %+v", g)
		}
		if a, b := r.Servers["a"], r.Servers["b"]; a.Retried != 20 || a.Requests != 20 || a.Errors != 20 || b.Requests != 20 || b.Errors != 0 {
			t.Errorf("servers: got %+v and %+v", a, b)
		}
	}
	if n != 1 {
		t.Errorf("second %d was given out %d times", second, n)
	}
	if got := c.between(second, second+2).All.Requests; got != 80 {
		t.Errorf("between: got %d requests, want 80", got)
	}
	if c.lag != late {
		t.Errorf("lag: got %d ms, want %d", c.lag, late)
	}
	c.close(now.Add((keepSeconds + 20) * time.Second))
	if got := c.between(second, second+2).All.Requests; got != 0 || len(c.seconds) > keepSeconds+1 || len(c.live) > 2*keepLive {
		t.Errorf("much later: still %d requests, %d seconds, %d quarters", got, len(c.seconds), len(c.live))
	}
}

// The picture shows thirds a second after a server has left: what was before does not count.
func TestLatest(t *testing.T) {
	c := newCounts()
	c.lag = 100
	servers := []string{"a", "b", "c", "d"}
	members := map[string][]string{"g": servers}
	start := int64(1_795_813_893_000)
	i := 0
	for ms := int64(0); ms < 6000; ms += 5 { // 200 a second; b is gone after 4 s
		s := servers[i%4]
		if i++; s == "b" && ms >= 4000 {
			s = servers[i%4]
			i++
		}
		c.add(answered(start+ms, 1, s), start+ms+100)
	}
	for at, want := range map[int64]float64{4000: 0.25, 5400: 0} {
		got := c.latest(time.UnixMilli(start+at), members, start)["b"]
		if math.Abs(got.Share-want) > 0.01 || math.Abs(got.Rate-200*want) > 3 {
			t.Errorf("after %d ms: b has %+v, want a share of %.2f", at, got, want)
		}
	}
	// Once the change is known, what was before it does not count, as long as anything came after it.
	for at, want := range map[int64]float64{4200: 0.25, 4450: 0, 4700: 0} {
		if got := c.latest(time.UnixMilli(start+at), members, start+4000)["b"]; math.Abs(got.Share-want) > 0.01 {
			t.Errorf("%d ms after a change that is known: b has %+v, want a share of %.2f", at-4000, got, want)
		}
	}
	if got := c.latest(time.UnixMilli(start+20_000), members, start)["a"]; got.Share != -1 || got.Rate != 0 {
		t.Errorf("without requests: got %+v", got)
	}
}
