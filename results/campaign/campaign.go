package campaign

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"balanceo/results/run"
)

// Runner makes the run that a step asks for, at rate (of a search: where it starts), and returns when the
// layout is down again. Its record carries label. Tests put their own in the place of Commands.
type Runner interface {
	Run(ctx context.Context, step Step, rate float64, label string) error
}

// Progress is told what happens.
type Progress interface {
	Begin(p *Plan, step Step)
	End(p *Plan, step Step, r *run.Record)
	Note(text string)
}

// attempts is how often a step is tried whose run can't be used.
const attempts = 4

// searchStart is the rate of the first probe of a side's first search, requests per second. Every side bears it,
// and doubling from there finds the capacity of any in a few probes. Later searches start at a part of what was found.
const (
	searchStart = 1000
	searchAgain = 0.86 // and up to searchVaries more, from round to round: a search halves intervals, and the same start
	// would give the same few rates
	searchVaries = 0.08
)

// headroom is which part of the least capacity the common rate is: well below every side's knee, where
// latency speaks of the servers and not of their queues.
const headroom = 0.25

// Run carries out what is left of p. After each step the state is in dir, so that an interrupted campaign can
// go on. The error of a cancelled context is the context's.
func Run(ctx context.Context, p *Plan, dir string, runner Runner, progress Progress) error {
	if err := p.save(dir); err != nil {
		return err
	}
	for i := p.next(); i >= 0; i = p.next() {
		step := &p.Steps[i]
		if step.Kind == Rated && p.Rate == 0 {
			rate, err := p.commonRate(dir)
			if err != nil {
				return err
			}
			p.Rate = rate
			progress.Note(fmt.Sprintf("common rate: %.0f/s, a quarter of the least capacity", rate))
		}
		progress.Begin(p, *step)
		started := time.Now()
		r, err := p.measure(ctx, *step, dir, runner, progress)
		if err != nil {
			return err
		}
		r.Side, r.Round = step.Side.Name, step.Round
		if _, err := run.Write(dir, r); err != nil {
			return err
		}
		step.Run, step.Took = r.ID, time.Since(started)
		if err := p.save(dir); err != nil {
			return err
		}
		progress.End(p, *step, r)
	}
	return nil
}

// measure makes a step's run, and makes it again where it is of no use. Where that is so time and again it is an error in
// the first round, and in a later one a pair that is missing.
func (p *Plan) measure(ctx context.Context, step Step, dir string, runner Runner, progress Progress) (*run.Record, error) {
	for attempt := 1; ; attempt++ {
		before, err := p.records(dir, step.Kind)
		if err != nil {
			return nil, err
		}
		rate := p.Rate
		if step.Kind == Search {
			rate = p.searchFrom(step, before)
		}
		err = runner.Run(ctx, step, rate, p.Label)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		after, err := p.records(dir, step.Kind)
		if err != nil {
			return nil, err
		}
		if len(after) == len(before) {
			return nil, fmt.Errorf("the run of %q left no record in %q", step.Side.Name, dir)
		}
		r := after[len(after)-1]
		useless := r.WhyUseless()
		if useless == "" {
			return r, nil
		}
		r.Side = step.Side.Name // of what is left out it shall be known whose it was
		if _, err := run.Write(dir, r); err != nil {
			return nil, err
		}
		if attempt == attempts && step.Kind == Rated && step.Round > 1 {
			progress.Note(fmt.Sprintf("%s, run %s: %s; the comparison leaves it out", step.Side.Name, r.ID, useless))
			return r, nil
		}
		if attempt == attempts {
			return nil, fmt.Errorf("%d runs of %q can't be used; of the last: %s", attempts, step.Side.Name, useless)
		}
		progress.Note(fmt.Sprintf("%s, run %s: %s; once more", step.Side.Name, r.ID, useless))
	}
}

// searchFrom is the rate at which a search starts, given those that have been made.
func (p *Plan) searchFrom(next Step, made []*run.Record) float64 {
	_, part := math.Modf(float64(next.Round) * math.Phi)
	for _, step := range p.Steps {
		for _, r := range made {
			if step.Side == next.Side && step.Run == r.ID {
				return math.Round((searchAgain + searchVaries*part) * r.Search.MaxRate)
			}
		}
	}
	return searchStart
}

// records are those of this campaign that steps of a kind have left, oldest first.
func (p *Plan) records(dir string, kind Kind) ([]*run.Record, error) {
	all, err := p.Records(dir)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(r *run.Record) bool { return (r.Search != nil) != (kind == Search) }), nil
}

// Records are all of this campaign, oldest first.
func (p *Plan) Records(dir string) ([]*run.Record, error) {
	all, _, err := run.List(dir)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(r *run.Record) bool { return r.Label != p.Label }), nil
}

// commonRate is the rate for all sides, from the searches.
func (p *Plan) commonRate(dir string) (float64, error) {
	all, err := p.Records(dir)
	if err != nil {
		return 0, err
	}
	least := math.Inf(1)
	for _, r := range all {
		if r.Search != nil && r.WhyUseless() == "" {
			least = min(least, r.Search.MaxRate)
		}
	}
	if math.IsInf(least, 1) {
		return 0, errors.New("no rate was given and no capacity was searched for: there is no common rate")
	}
	return round(least * headroom), nil
}

// round rounds down to two significant digits: 4130 is 4100.
func round(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Floor(v/unit) * unit
}
