package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"

	"balanceo/results/console"
	"balanceo/results/model"
	"balanceo/results/run"
	"balanceo/results/units"
	"balanceo/topology/cli"
)

type modelCommand struct {
	Size    string  `long:"size" value-name:"KEY" default:"processes" description:"what a run's size is: processes or upstreams (those that answered), or a key of the record that holds a number, for example label"`
	Predict float64 `long:"predict" value-name:"N" description:"the size to predict (default: twice the largest)"`
	JSON    bool    `long:"json" description:"print one JSON document"`
	Filter  filter  `group:"Filter"`
	Args    struct {
		Runs []string `positional-arg-name:"RUN" description:"searches for the highest rate (loadgen -find-max) or runs at rate 0 (default: all that pass the filter)"`
	} `positional-args:"yes"`

	c *command
}

// modelOutput is "model --json".
type modelOutput struct {
	Points    []model.Point    `json:"points"`
	Law       *model.Fit       `json:"law"`
	Peak      *float64         `json:"peak"` // null where capacity grows with every size
	Predicted model.Prediction `json:"predicted"`
	Check     *model.Check     `json:"check"` // null with too few sizes
}

// Execute is called by go-flags.
func (m *modelCommand) Execute([]string) error {
	runs, err := m.Filter.choose(m.c, m.Args.Runs)
	if err != nil {
		return err
	}
	var out modelOutput
	for _, r := range runs {
		capacity, ok := measuredCapacity(r)
		if !ok {
			continue
		}
		size, err := m.sizeOf(r)
		if err != nil {
			return err
		}
		out.Points = append(out.Points, model.Point{Size: size, Capacity: capacity})
	}
	if out.Law, err = model.New(out.Points); err != nil {
		return cli.Hint(fmt.Errorf("%d of %s measured a capacity, %w", len(out.Points), units.Count(int64(len(runs)), "run"), err),
			"measure each size, as \"topology scale\" makes it, with \"loadgen -find-max SLO\" or \"loadgen -rate 0\", several times")
	}
	if peak := out.Law.Peak(); !math.IsInf(peak, 1) {
		out.Peak = &peak
	}
	sizes := model.Sizes(out.Points)
	out.Predicted = out.Law.Predict(cmp.Or(m.Predict, 2*sizes[len(sizes)-1]))
	out.Check, _ = model.LeaveOut(out.Points) // nil with too few sizes
	if m.JSON {
		return run.WriteJSON(m.c.stdout, out)
	}
	return out.write(m.c.stdout, m.Size)
}

// measuredCapacity is the highest rate of a search, or what a run at rate 0 was answered.
func measuredCapacity(r *run.Record) (float64, bool) {
	switch {
	case r.Partial:
		return 0, false
	case r.Search != nil:
		return r.Search.MaxRate, r.Search.MaxRate > 0
	case r.RequestedRate == 0 && r.Duration > 0:
		v := r.SuccessRatio * float64(r.Requests+r.Unsent) / max(r.Duration, r.AnswerTime)
		return v, v > 0
	}
	return 0, false
}

func (m *modelCommand) sizeOf(r *run.Record) (float64, error) {
	processes, upstreams := 0, 0
	for _, g := range r.Groups {
		for _, u := range g.Upstreams {
			processes += len(u.Workers)
			if u.Requests > 0 {
				upstreams++
			}
		}
	}
	switch m.Size {
	case "processes":
		return float64(processes), nil
	case "upstreams":
		return float64(upstreams), nil
	}
	text, _, err := r.Value(m.Size)
	if err != nil {
		return 0, cli.Usagef("--size %q: %w", m.Size, err)
	}
	size, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, cli.Usagef("--size %q: run %q has %q there; accepted are processes, upstreams and keys that hold a number", m.Size, r.ID, text)
	}
	return size, nil
}

func (out *modelOutput) write(w io.Writer, size string) error {
	rate := func(v float64) string { return units.Format(v, units.PerSecond) }
	t := &console.Table{Gap: 2, Columns: []console.Column{
		console.Right(size, 0), console.Right("runs", 1), console.Right("measured", 0), console.Right("law", 0), console.Right("difference", 0),
	}}
	for _, n := range model.Sizes(out.Points) {
		sum, runs := 0.0, 0
		for _, p := range out.Points {
			if p.Size == n {
				sum, runs = sum+p.Capacity, runs+1
			}
		}
		mean := sum / float64(runs)
		t.Add(units.Number(n), strconv.Itoa(runs), rate(mean), rate(out.Law.At(n)), units.Signed(mean/out.Law.At(n)-1))
	}
	if err := t.Write(w); err != nil {
		return err
	}
	l := out.Law
	ratio := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	fmt.Fprintf(w, "\nlambda      %s for one (%s … %s)\n", rate(l.Lambda), rate(l.LambdaInterval.Lo), rate(l.LambdaInterval.Hi))
	fmt.Fprintf(w, "contention  %s (%s … %s)\n", ratio(l.Contention), ratio(l.ContentionInterval.Lo), ratio(l.ContentionInterval.Hi))
	fmt.Fprintf(w, "coherency   %s (%s … %s)\n", ratio(l.Coherency), ratio(l.CoherencyInterval.Lo), ratio(l.CoherencyInterval.Hi))
	if out.Peak != nil {
		fmt.Fprintf(w, "peak        %s at %s\n", rate(l.At(*out.Peak)), units.Number(math.Round(*out.Peak)))
	}
	p := out.Predicted
	fmt.Fprintf(w, "predicted   %s at %s (%s … %s)\n", rate(p.Capacity), units.Number(p.Size), rate(p.Interval.Lo), rate(p.Interval.Hi))
	if c := out.Check; c != nil {
		verdict := "within"
		if !c.Within {
			verdict = "NOT within: don't trust the prediction"
		}
		fmt.Fprintf(w, "check       without %s the law says %s (%s … %s) there; %s was measured, %s\n",
			units.Number(c.Size), rate(c.Capacity), rate(c.Interval.Lo), rate(c.Interval.Hi), rate(c.Measured), verdict)
	} else {
		fmt.Fprintln(w, "check       takes four sizes: nothing tells whether the law holds here")
	}
	_, err := fmt.Fprintln(w, "\nintervals at 95 %, from a bootstrap; those of capacities are of one further measurement")
	return err
}
