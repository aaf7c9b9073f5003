package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Verb is what an Action does.
type Verb string

// The verbs. A new one is a constant and a line in Fleet.verb, beside what it does.
const (
	Reload  Verb = "reload"  // replace processes without losing a request
	Restart Verb = "restart" // end processes and start them anew
	Down    Verb = "down"    // end parts, while the others run on
	Kill    Verb = "kill"    // send a signal
	Scale   Verb = "scale"   // set the number of workers
)

// Action is one thing that is done to a running layout, as a command line or a page asks for it.
type Action struct {
	Verb    Verb     `json:"verb"`
	Names   []string `json:"names,omitempty"`   // parts, by name or port; none: all that the verb is for
	Signal  string   `json:"signal,omitempty"`  // of Kill: a name; empty: KILL
	Worker  int      `json:"worker,omitempty"`  // of Kill: the process among the part's that is meant; 0: the first one
	Workers int      `json:"workers,omitempty"` // of Scale
	By      string   `json:"by,omitempty"`      // who wants it
}

// String is the command line that does the same.
func (a Action) String() string {
	words := append([]string{string(a.Verb)}, a.Names...)
	if a.Signal != "" && a.Signal != "KILL" {
		words = append(words, "--signal", a.Signal)
	}
	if a.Worker != 0 {
		words = append(words, "--worker", strconv.Itoa(a.Worker))
	}
	if a.Workers != 0 {
		words = append(words, strconv.Itoa(a.Workers))
	}
	return strings.Join(words, " ")
}

// Progress is told what an action has done, one line a part.
type Progress func(line string)

var errStopping = errors.New("the layout is being taken down")

// verb finds what v does. Verbs that are urgent don't wait for an action that goes on.
func (f *Fleet) verb(v Verb) (do func(context.Context, Action, Progress) error, urgent bool) {
	switch v {
	case Reload:
		return f.reload, false
	case Restart:
		return f.restart, false
	case Down:
		return f.down, false
	case Kill:
		return f.kill, true
	case Scale:
		return f.scale, false
	}
	return nil, false
}

// Do carries out an action and returns when it is done.
func (f *Fleet) Do(ctx context.Context, a Action, progress Progress) error {
	do, urgent := f.verb(a.Verb)
	if do == nil {
		return fmt.Errorf("%q is no action", a.Verb)
	}
	if !urgent {
		acting, release, err := f.takeTurn(ctx)
		if err != nil {
			return err
		}
		defer release()
		ctx = acting
	}
	f.note(Event{Kind: EventAction, By: a.By, Text: a.String()})
	return do(ctx, a, progress)
}

// takeTurn waits until no other action goes on. The action's context ends when the layout is to end.
func (f *Fleet) takeTurn(ctx context.Context) (acting context.Context, release func(), err error) {
	select {
	case f.turn <- struct{}{}:
	case <-f.stopping:
		return nil, nil, errStopping
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("another action goes on: %w", context.Cause(ctx))
	}
	acting, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-f.stopping:
			cancel(errStopping)
		case <-acting.Done():
		}
	}()
	return acting, func() {
		cancel(nil)
		<-ended
		<-f.turn
	}, nil
}

// choose returns the parts with these names, or those that an action on everything is for.
func (f *Fleet) choose(names []string, all func(*part) bool) ([]*part, error) {
	var out []*part
	if len(names) == 0 {
		for _, p := range f.parts() {
			if all(p) {
				out = append(out, p)
			}
		}
		return out, nil
	}
	for _, name := range names {
		p, err := f.find(name)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// one returns the only part that an action names.
func (f *Fleet) one(a Action) (*part, error) {
	if len(a.Names) != 1 {
		return nil, fmt.Errorf("%s wants one name, not %d", a.Verb, len(a.Names))
	}
	return f.find(a.Names[0])
}

// SignalNames are the signals that make sense here.
func SignalNames() []string {
	return []string{"CONT", "HUP", "INT", "KILL", "QUIT", "STOP", "TERM", "TTIN", "TTOU", "USR1", "USR2", "WINCH"}
}

// ParseSignal reads a signal's name, with or without SIG, or its number.
func ParseSignal(text string) (unix.Signal, error) {
	if sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(text), "SIG")); sig != 0 {
		return sig, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 65 {
		return unix.Signal(n), nil
	}
	return 0, fmt.Errorf("%q is no signal; accepted are %s, or a number from 1 to 64", text, strings.Join(SignalNames(), ", "))
}
