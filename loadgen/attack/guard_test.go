package attack

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"balanceo/loadgen/pace"
)

func TestTune(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	t.Setenv("GOGC", "")
	all := runtime.GOMAXPROCS(0)
	paced := func(rate float64) pace.Schedule { return pace.NewSchedule(pace.Constant(rate), 0, time.Second) }
	for _, test := range []struct {
		name     string
		schedule pace.Schedule
		workers  int
		shards   int
	}{
		{"200/s", paced(200), 64, 1},
		{"50000/s", paced(50000), 512, all},
		{"as fast as it goes", pace.Unpaced(0, time.Second), 64, all},
		{"one worker", pace.Unpaced(0, time.Second), 1, 1},
	} {
		shards, undo := tune(&Config{Schedule: test.schedule, Workers: test.workers, Engine: Fast})
		if now := runtime.GOMAXPROCS(0); shards != test.shards || now != shards+1 {
			t.Errorf("%s: %d loops with %d processors, want %d and one more", test.name, shards, now, test.shards)
		}
		undo()
	}
	gc := debug.SetGCPercent(100)
	debug.SetGCPercent(gc)
	if now := runtime.GOMAXPROCS(0); now != all || gc != 100 {
		t.Errorf("after all: GOMAXPROCS %d, GC %d%%, want %d and 100%%", now, gc, all)
	}
}
