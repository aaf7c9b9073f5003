package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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
	Slow    Verb = "slow"    // delay an instance's answers
	Balance Verb = "balance" // give a group another method
	Weights Verb = "weights" // give a group other weights
)

// Action is one thing that is done to a running layout, as a command line or a page asks for it.
type Action struct {
	Verb    Verb     `json:"verb"`
	Names   []string `json:"names,omitempty"`   // parts, by name or port; none: all that the verb is for
	Signal  string   `json:"signal,omitempty"`  // of Kill: a name; empty: KILL
	Worker  int      `json:"worker,omitempty"`  // of Kill: the process among the part's that is meant; 0: the first one
	For     Duration `json:"for,omitzero"`      // of Kill: undone after this; 0: not at all
	Workers int      `json:"workers,omitempty"` // of Scale
	Delay   Duration `json:"delay,omitzero"`    // of Slow; 0 ends it
	Group   string   `json:"group,omitempty"`   // of Balance and Weights
	Method  string   `json:"method,omitempty"`  // of Balance, in the balancer's words
	Weights []int    `json:"weights,omitempty"` // of Weights, in the order of nginx.conf
	By      string   `json:"by,omitempty"`      // who wants it
}

// Duration is a time that is "200ms" in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	t, err := time.ParseDuration(string(text))
	if err != nil || t < 0 {
		return fmt.Errorf("%q is given; a time is accepted, for example 200ms or 10s", text)
	}
	*d = Duration(t)
	return nil
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
	if a.For != 0 {
		words = append(words, "--for", time.Duration(a.For).String())
	}
	switch a.Verb {
	case Scale:
		words = append(words, strconv.Itoa(a.Workers))
	case Slow:
		words = append(words, time.Duration(a.Delay).String())
	case Balance:
		words = append(words, a.Group, a.Method)
	case Weights:
		words = append(words, a.Group, FormatWeights(a.Weights))
	default:
	}
	return strings.Join(words, " ")
}

// Progress is told what an action has done, one line a part.
type Progress func(line string)

var errStopping = errors.New("the layout is being taken down")

// verb finds what v does, nil if there is no such verb.
func (f *Fleet) verb(v Verb) func(context.Context, Action, Progress) error {
	switch v {
	case Reload:
		return f.reload
	case Restart:
		return f.restart
	case Down:
		return f.down
	case Kill:
		return f.kill
	case Scale:
		return f.scale
	case Slow:
		return f.slow
	case Balance, Weights:
		return f.changeShares
	}
	return nil
}

// Do carries out an action and returns when it is done.
func (f *Fleet) Do(ctx context.Context, a Action, progress Progress) error {
	do := f.verb(a.Verb)
	if do == nil {
		return fmt.Errorf("%q is no action", a.Verb)
	}
	if a.Verb != Kill || a.For != 0 { // what only sends a signal does not wait for an action that hangs
		acting, release, err := f.takeTurn(ctx)
		if err != nil {
			return err
		}
		defer release()
		ctx = acting
	}
	f.NoteAction(a)
	err := do(ctx, a, progress)
	if err != nil {
		f.note(Event{Kind: EventNotice, By: a.By, Text: fmt.Sprintf("%s: %s", a, strings.ReplaceAll(err.Error(), "\n", "; "))})
	}
	return err
}

// NoteAction adds that somebody does something.
func (f *Fleet) NoteAction(a Action) { f.note(Event{Kind: EventAction, By: a.By, Text: a.String()}) }

// takeTurn waits until no other action goes on. The action's context ends when the layout is to end.
func (f *Fleet) takeTurn(ctx context.Context) (acting context.Context, release func(), err error) {
	select {
	case f.turn <- struct{}{}:
	case <-f.stopping:
		return nil, nil, errStopping
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("another action goes on: %w", context.Cause(ctx))
	}
	acting, end := endsWith(ctx, f.stopping, errStopping)
	return acting, func() {
		end()
		<-f.turn
	}, nil
}

// endsWith is a context that ends with that cause once over is closed. Whoever asks for it calls end.
func endsWith(ctx context.Context, over <-chan struct{}, cause error) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-over:
			cancel(cause)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		watching.Wait()
	}
}

// choose returns the parts with these names, or those that an action on everything is for.
func (f *Fleet) choose(names []string, all func(*part) bool) ([]*part, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(f.parts(), func(p *part) bool { return !all(p) }), nil
	}
	var out []*part
	for _, name := range names {
		p, err := f.find(name)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// ParseWeights reads weights as they stand on a command line: "3,1".
func ParseWeights(text string) ([]int, error) {
	var weights []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%q is given; whole numbers from 1 to 65535 are accepted, for example 3,1", text)
		}
		weights = append(weights, n)
	}
	return weights, nil
}

// FormatWeights is the opposite of ParseWeights.
func FormatWeights(weights []int) string {
	return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(weights), "[]")), ",")
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
