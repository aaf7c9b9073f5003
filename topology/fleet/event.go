package fleet

import (
	"fmt"
	"time"

	"balanceo/topology/supervise"
)

// EventKind is what an Event is about.
type EventKind string

// The kinds of events.
const (
	EventAction   EventKind = "action"   // somebody did something
	EventState    EventKind = "state"    // a part is in another state
	EventBalancer EventKind = "balancer" // load is shared another way from here on
	EventNotice   EventKind = "notice"   // anything else that is worth a line
)

// Event is something that happened in the layout.
type Event struct {
	Number int       `json:"number"` // counts from 1, without a gap
	At     time.Time `json:"at"`
	Kind   EventKind `json:"kind"`
	Part   string    `json:"part,omitempty"` // whom it happened to
	By     string    `json:"by,omitempty"`   // who did it; empty: it happened by itself
	Text   string    `json:"text"`
}

// Line is the event for a log.
func (e Event) Line() string {
	switch {
	case e.Part != "":
		return e.Part + ": " + e.Text
	case e.By != "":
		return fmt.Sprintf("%s (by %s)", e.Text, e.By)
	}
	return e.Text
}

// note puts an event into topology's log and tells whoever listens.
func (f *Fleet) note(e Event) {
	e.At = time.Now()
	_, _ = fmt.Fprintln(f.record, e.Line()) // a full disk must not end the layout
	if f.cfg.Event != nil {
		f.cfg.Event(e)
	}
}

// Note adds a line to what happened.
func (f *Fleet) Note(format string, args ...any) {
	f.note(Event{Kind: EventNotice, Text: fmt.Sprintf(format, args...)})
}

// notePart adds a line about a part.
func (f *Fleet) notePart(p *part, format string, args ...any) {
	f.note(Event{Kind: EventNotice, Part: p.name, Text: fmt.Sprintf(format, args...)})
}

// noteState adds the changes of a part's state that people want to know of.
func (f *Fleet) noteState(p *part, e supervise.Event) {
	text := string(e.To)
	switch {
	case e.To == supervise.Ready && e.From == supervise.Unresponsive:
		text += " again"
	case e.To == supervise.Unresponsive:
		text += ": " + e.Reason
	case e.To == supervise.Ready:
		text += fmt.Sprintf(", pid %d", e.PID)
	case e.To == supervise.BackOff && e.Reason != "":
		text += fmt.Sprintf(" for %v: %s", e.Delay.Round(time.Millisecond), e.Reason)
	case e.To == supervise.Failed, e.Reason != "" && e.To == supervise.Stopped:
		text += ": " + e.Reason
	case e.To == supervise.Starting && e.Reason != "" && e.From != supervise.BackOff:
		text += " again: " + e.Reason
	case e.To == supervise.Starting, e.To == supervise.Stopping:
		return
	}
	f.note(Event{Kind: EventState, Part: p.name, Text: text})
}
