package judge

import (
	"cmp"
	"errors"
	"fmt"
	"math"
)

// Method is how servers are chosen, which is what counts can be held against.
type Method string

// The methods.
const (
	Random     Method = "random"     // each request independently, by weight
	RoundRobin Method = "roundrobin" // in a fixed cycle in which each server occurs as often as its weight says
	None       Method = "none"       // by something that promises no shares: load, a hash, the fastest answer
)

// Verdict is what the counts show.
type Verdict string

// The verdicts.
const (
	Pass      Verdict = "pass"
	Fail      Verdict = "fail"
	Undecided Verdict = "undecided"
)

// Share is one server: what was promised and what it got. Weights count in relation to each other.
type Share struct {
	Name   string
	Weight float64
	Count  int64
}

// Options say how to judge. The zero value of each field stands for its default.
type Options struct {
	Method    Method  // default Random
	False     float64 // how often counts that are as promised may be judged Fail; default 0.001
	Precision float64 // how far from its promise a share may lie, as a part of it; default 0.1
	Cycles    int     // RoundRobin: how many cycles ran beside or after each other (processes, reloads); default 1
	Unit      string  // what was counted, for the sentences; default "request"
}

// MostCounts is the largest sum of counts that is judged: beyond it the tails can't be computed.
const MostCounts = 1e12

func (o *Options) defaults() error {
	o.Method = cmp.Or(o.Method, Random)
	o.False = cmp.Or(o.False, 0.001)
	o.Precision = cmp.Or(o.Precision, 0.1)
	o.Cycles = cmp.Or(o.Cycles, 1)
	o.Unit = cmp.Or(o.Unit, "request")
	switch {
	case o.Method != Random && o.Method != RoundRobin && o.Method != None:
		return fmt.Errorf("method %q: accepted are %s, %s, %s", o.Method, Random, RoundRobin, None)
	case !(o.False >= 1e-12 && o.False <= 0.5):
		return fmt.Errorf("rate of false alarms %g: accepted are numbers from 1e-12 to 0.5", o.False)
	case !(o.Precision >= 1e-6 && o.Precision <= 1):
		return fmt.Errorf("precision %g: accepted are numbers from 1e-6 to 1", o.Precision)
	case o.Cycles < 1:
		return fmt.Errorf("%d cycles: accepted are numbers from 1 on", o.Cycles)
	}
	return nil
}

// Result is a verdict and what it rests on.
type Result struct {
	Verdict  Verdict       `json:"verdict"`
	Sentence string        `json:"sentence"`
	P        float64       `json:"p"` // how often counts as promised are at least this far off
	Test     string        `json:"test"`
	Total    int64         `json:"total"`
	Unit     string        `json:"unit"`
	Shares   []ShareResult `json:"shares"`
	// Needed is how many requests decide nine times in ten, if the shares are as promised: none is then off by as much as
	// the precision without being found. 0 where no number does.
	Needed int64 `json:"needed"`
}

// ShareResult is one server. Expected, Share, Lo and Hi are parts of 1.
type ShareResult struct {
	Name     string  `json:"name"`
	Count    int64   `json:"count"`
	Share    float64 `json:"share"`
	Expected float64 `json:"expected"`
	// Lo and Hi are the shares that the counts don't exclude, all of them together at the rate of false alarms.
	Lo float64 `json:"lo"`
	Hi float64 `json:"hi"`
	// FoundBelow and FoundAbove are the shares that so many requests tell from Expected nine times in ten.
	FoundBelow float64 `json:"found_below"`
	FoundAbove float64 `json:"found_above"`
}

// Judge holds counts against what was promised. It fails where there is nothing to judge: no counts, fewer than two
// shares, a name twice, weights or counts that are none.
func Judge(shares []Share, opt Options) (*Result, error) {
	if err := opt.defaults(); err != nil {
		return nil, err
	}
	total, err := check(shares)
	if err != nil {
		return nil, err
	}
	r := &Result{Total: total, Unit: opt.Unit, P: 1}
	weights := 0.0
	for _, s := range shares {
		weights += s.Weight
	}
	for _, s := range shares {
		r.Shares = append(r.Shares, ShareResult{
			Name: s.Name, Count: s.Count, Share: float64(s.Count) / float64(total), Expected: s.Weight / weights, Hi: 1, FoundAbove: 1,
		})
	}
	switch opt.Method {
	case Random:
		r.judgeRandom(opt)
	case RoundRobin:
		if err := r.judgeCycle(shares, opt); err != nil {
			return nil, err
		}
	case None:
		r.Verdict, r.Test = Undecided, "none: the method promises no shares"
	}
	r.Sentence = r.describe(opt)
	return r, nil
}

func check(shares []Share) (total int64, err error) {
	if len(shares) < 2 {
		return 0, fmt.Errorf("%d names: two or more can be judged", len(shares))
	}
	seen, weights := map[string]bool{}, 0.0
	for _, s := range shares {
		switch {
		case seen[s.Name]:
			return 0, fmt.Errorf("name %q: given twice", s.Name)
		case !(s.Weight > 0) || math.IsInf(s.Weight, 0):
			return 0, fmt.Errorf("weight %g of %q: accepted are numbers above 0", s.Weight, s.Name)
		case s.Count < 0:
			return 0, fmt.Errorf("count %d of %q: accepted are numbers from 0 on", s.Count, s.Name)
		case s.Count > MostCounts || total+s.Count > MostCounts:
			return 0, fmt.Errorf("count %d of %q: no more than %g in all can be judged", s.Count, s.Name, MostCounts)
		}
		seen[s.Name] = true
		total += s.Count
		weights += s.Weight
	}
	if math.IsInf(weights, 0) {
		return 0, errors.New("the weights are too large to be added")
	}
	if total == 0 {
		return 0, errors.New("all counts are 0: there is nothing to judge")
	}
	return total, nil
}

// judgeRandom holds the counts against a multinomial.
func (r *Result) judgeRandom(opt Options) {
	counts, expected := make([]int64, len(r.Shares)), make([]float64, len(r.Shares))
	for i, s := range r.Shares {
		counts[i], expected[i] = s.Count, s.Expected
	}
	r.P, r.Test = multinomial(counts, expected)
	level := opt.False / float64(tests(len(counts)))
	within := true
	for i := range r.Shares {
		s := &r.Shares[i]
		s.Lo, s.Hi = interval(s.Count, r.Total, s.Expected, level)
		if r.P > opt.False { // what was not excluded by all counts together is not excluded by one of them
			s.Lo, s.Hi = min(s.Lo, s.Expected), max(s.Hi, s.Expected)
		}
		s.FoundBelow, s.FoundAbove = found(r.Total, s.Expected, level)
		within = within && s.Lo >= s.Expected*(1-opt.Precision) && s.Hi <= s.Expected*(1+opt.Precision)
		r.Needed = max(r.Needed, needed(s.Expected, level, opt.Precision))
	}
	r.decide(r.P <= opt.False, within)
}

// tests is how many intervals can be wrong on their own: of two shares one is what the other leaves.
func tests(names int) int {
	if names == 2 {
		return 1
	}
	return names
}

func (r *Result) decide(excluded, within bool) {
	switch {
	case excluded:
		r.Verdict = Fail
	case within:
		r.Verdict = Pass
	default:
		r.Verdict = Undecided
	}
}
