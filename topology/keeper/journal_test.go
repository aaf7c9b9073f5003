package keeper

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"balanceo/topology/fleet"
)

func TestJournal(t *testing.T) {
	j := newJournal()
	for i := range kept + 5 {
		j.add(fleet.Event{Text: strconv.Itoa(i + 1)})
	}
	if all := j.all(); len(all) != kept || all[0].Number != 6 || all[kept-1].Text != strconv.Itoa(kept+5) {
		t.Errorf("all: got %d events from number %d on, want the latest %d", len(all), all[0].Number, kept)
	}
	for after, want := range map[int]int{0: kept, 5: kept, 6: kept - 1, kept + 4: 1} {
		events, err := j.wait(t.Context(), after)
		if err != nil || len(events) != want || events[len(events)-1].Number != kept+5 {
			t.Errorf("wait after %d: got %d events, %v, want %d", after, len(events), err, want)
		}
	}
	got := make(chan []fleet.Event)
	go func() {
		events, _ := j.wait(t.Context(), kept+5)
		got <- events
	}()
	j.add(fleet.Event{Text: "new"})
	if events := <-got; len(events) != 1 || events[0].Text != "new" || events[0].Number != kept+6 {
		t.Errorf("wait for the next: got %v", events)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.wait(ctx, kept+6); !errors.Is(err, context.Canceled) {
		t.Errorf("wait until the context is done: got %v", err)
	}
}
