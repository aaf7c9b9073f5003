package merge

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"balanceo/results/run"
)

// together puts the parts in their order, or says why they are none of one whole.
func together(parts []*run.Record) ([]*run.Record, error) {
	if len(parts) == 0 {
		return nil, errors.New("no parts")
	}
	for _, r := range parts {
		switch {
		case r.Part == nil:
			return nil, fmt.Errorf("run %q is not a part: it was not measured with -part", r.ID)
		case r.Search != nil:
			return nil, fmt.Errorf("run %q is a search for the highest rate, which has no parts", r.ID)
		}
	}
	first := parts[0]
	var missing []string
	for number := 1; number <= first.Part.Of; number++ {
		if !slices.ContainsFunc(parts, func(r *run.Record) bool { return r.Part.Number == number }) {
			missing = append(missing, strconv.Itoa(number))
		}
	}
	for i, r := range parts {
		for _, d := range []struct {
			name      string
			one, this any
		}{
			{"the number of parts", first.Part.Of, r.Part.Of},
			{"the time at which they were to begin", first.Part.StartAt.UTC(), r.Part.StartAt.UTC()},
			{"the scenario", first.Scenario, r.Scenario},
			{"the rate of the whole", whole(first), whole(r)},
			{"how it was sent", sent(first), sent(r)},
			{"the pace", cmp.Or(first.Pace, "constant"), cmp.Or(r.Pace, "constant")},
			{"the warm-up", first.Warmup, r.Warmup},
			{"the layout", first.Layout, r.Layout},
			{"the label", first.Label, r.Label},
			{"the target", first.Target, r.Target},
		} {
			if d.one != d.this {
				return nil, fmt.Errorf("runs %q and %q don't belong together: %s is %v and %v", first.ID, r.ID, d.name, d.one, d.this)
			}
		}
		if apart := math.Abs(first.Duration - r.Duration); apart > 1+0.02*first.Duration && !first.Partial && !r.Partial {
			return nil, fmt.Errorf("runs %q and %q don't belong together: they lasted %.1f s and %.1f s", first.ID, r.ID, first.Duration, r.Duration)
		}
		for _, other := range parts[:i] {
			if other.Part.Number == r.Part.Number {
				return nil, fmt.Errorf("part %d of %d is there twice: runs %q and %q", r.Part.Number, r.Part.Of, other.ID, r.ID)
			}
		}
	}
	if err := atOnce(parts); err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("of %d parts some are missing: %s", first.Part.Of, strings.Join(missing, ", "))
	}
	return slices.SortedFunc(slices.Values(parts), func(a, b *run.Record) int { return cmp.Compare(a.Part.Number, b.Part.Number) }), nil
}

// atOnce tells why parts were no load together: some were over before others began. Where they were told when to begin,
// and a clock is not known, it is more likely that one is wrong.
func atOnce(parts []*run.Record) error {
	var began []run.Part
	longest := 0.0
	for _, r := range parts {
		part := *r.Part
		part.Started = r.Started
		began, longest = append(began, part), max(longest, r.Warmup+r.Duration)
	}
	c := run.ClocksOf(began)
	if apart := (c.Began - c.Slack).Seconds(); apart >= longest && (c.Known || parts[0].Part.StartAt.IsZero()) {
		return fmt.Errorf("the parts don't belong together: they began %v apart and lasted %.3g s, so they never ran at once (see loadgen -start-at)",
			c.Began.Round(time.Millisecond), longest)
	}
	return nil
}

// whole is the rate of all parts together, as a part was told it.
func whole(r *run.Record) float64 { return math.Round(1000*r.RequestedRate*float64(r.Part.Of)) / 1000 }

// sent is what parts of one load have in common in how they sent it; each may have as many connections as it needs.
func sent(r *run.Record) string {
	l := r.Load
	return fmt.Sprintf("engine %s, keep-alive %v, time-out %g s, %d numbers, %d users, %d clients", l.Engine, l.KeepAlive, l.Timeout, l.Cant, l.Users, l.Clients)
}

// command is what repeats the whole load from one generator.
func command(args []string) []string { return run.WithoutFlags(args, "part", "start-at") }

// warnings tells of the clocks first, then what the parts warned of.
func warnings(met []run.Part, parts []*run.Record) []string {
	var out []string
	if text := clocks(met); text != "" {
		out = append(out, text)
	}
	said := map[string][]string{}
	var order []string
	for _, r := range parts {
		if len(r.Asserts) > 0 && !slices.Contains(out, notAsserted) {
			out = append(out, notAsserted)
		}
		for _, w := range r.Warnings {
			if said[w] == nil {
				order = append(order, w)
			}
			said[w] = append(said[w], strconv.Itoa(r.Part.Number))
		}
	}
	for _, w := range order {
		name := "Part "
		if len(said[w]) > 1 {
			name = "Parts "
		}
		out = append(out, name+strings.Join(said[w], ", ")+": "+w)
	}
	return out
}

const notAsserted = "The parts' assertions are of the parts, and nothing is asserted of the sum."

// far is how far clocks, or the beginnings of parts, may be apart before it is worth a warning: beyond it the sums of a
// second mix neighbouring ones.
const far = time.Second / 10

// clocks says how far the parts were apart where it does something to the sum, or would have; empty where not.
func clocks(parts []run.Part) string {
	c := run.ClocksOf(parts)
	began := c.Began.Round(time.Millisecond)
	switch {
	case !c.Known && c.Began >= far:
		return fmt.Sprintf("The parts began %v apart by their own clocks, and how far these are apart is not known: so much of the load's beginning "+
			"and end may have had fewer generators, and the sums of a second may mix neighbouring ones. Counts are right.", began)
	case !c.Known:
		return fmt.Sprintf("The parts began within %v of each other by their own clocks; how far these are apart is not known. "+
			"Counts and latencies are right nevertheless; the sums of a second may mix neighbouring ones.", began)
	case c.Began-c.Slack >= far:
		return fmt.Sprintf("The parts began %v apart%s: so much of the load's beginning and end had fewer generators, "+
			"and the sums of a second mix neighbouring ones. Counts and latencies are right.", began, odd(c))
	case c.Began+c.Slack >= far:
		return fmt.Sprintf("The parts began within %v of each other, as far as the round trips to where they met tell%s. "+
			"Counts and latencies are right nevertheless; the sums of a second may mix neighbouring ones.", (c.Began + c.Slack).Round(time.Millisecond), odd(c))
	case c.Surely >= far:
		return fmt.Sprintf("The parts began within %v of each other by one clock%s. "+
			"The sum is right; logs of that machine are to be read with its own clock in mind.", (c.Began + c.Slack).Round(time.Millisecond), odd(c))
	}
	return ""
}

// odd names the clock that is furthest from the others, if any two are surely far apart.
func odd(c run.Clocks) string {
	if c.Surely < far {
		return ""
	}
	offset := time.Duration(*c.Odd.ClockOffset * float64(time.Second)).Round(time.Millisecond)
	side := "ahead of"
	if offset < 0 {
		offset, side = -offset, "behind"
	}
	return fmt.Sprintf("; clocks are up to %v apart, and part %d's is %v %s that of where they met", c.AtMost.Round(time.Millisecond), c.Odd.Number, offset, side)
}
