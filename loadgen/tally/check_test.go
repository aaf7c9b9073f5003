package tally

import (
	"math/rand/v2"
	"testing"
	"time"

	"balanceo/results/run"
)

// Whatever was measured is a record that can be written: run.Check refuses only what no measurement gives.
func TestAnyRecordIsPossible(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		upTo := func(limit int64) time.Duration { return time.Duration(r.Int64N(limit)) }
		counts := New(Config{Warmup: upTo(int64(time.Second)), End: 3 * time.Second, Routes: 2})
		scale := []int64{100, int64(time.Microsecond), int64(time.Millisecond), int64(20 * time.Second)}[r.IntN(4)]
		for i := range r.IntN(400) {
			h := Hit{
				Number: uint64(i), Conn: r.Uint64N(4), Route: r.IntN(2), Due: upTo(int64(3 * time.Second)), Draws: r.Int64N(10),
				Status: []int{0, 101, 200, 200, 200, 404, 503, 999}[r.IntN(8)], BytesIn: r.Int64N(100),
				Group: []string{"", "a", "b"}[r.IntN(3)], Tried: []string{"", "127.0.0.1:1", "127.0.0.1:1, 127.0.0.1:2"}[r.IntN(3)],
				Worker: []string{"", "7", "-7", "x"}[r.IntN(4)], Mixed: r.IntN(9) == 0, Again: r.IntN(9) == 0,
			}
			h.Sent = h.Due + upTo(scale)
			h.Done = h.Sent + upTo(scale)
			h.Lag, h.Connect, h.FirstByte = upTo(scale), upTo(scale), upTo(scale)
			if h.Status == 0 || r.IntN(5) == 0 {
				h.Err = Class(1 + r.IntN(int(Other)))
			}
			counts.Add(&h)
		}
		record := &run.Record{ID: "x", Started: time.Now(), Schema: run.Schema}
		if r.IntN(2) == 0 {
			record.Part = &run.Part{Number: 1, Of: 2}
		}
		if err := counts.Fill(record, []Route{{Method: "GET", Path: "/"}, {Method: "GET", Path: "/b"}}, 3*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := record.Check(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
