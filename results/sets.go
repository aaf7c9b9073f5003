package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"balanceo/results/compare"
	"balanceo/results/run"
	"balanceo/topology/cli"
)

// choice is how the commands that compare are told which runs.
type choice struct {
	By        string   `long:"by" value-name:"KEY" description:"one set for each value of a key of the record: layout, scenario, label, commit, nginx, env.cpu …"`
	Base      string   `long:"base" value-name:"VALUE" description:"the set that the others are held against (default: the one measured first)"`
	Vs        []string `long:"vs" value-name:"RUN" description:"the runs that are held against those named before it; several may follow"`
	Metrics   []string `long:"metrics" value-name:"KEYS" description:"the metrics that are tested, separated by commas; the fewer, the sooner each tells (default: throughput where no rate is given, p50, p99, errors, cpu, capacity)"`
	Threshold []string `long:"threshold" value-name:"[KEY=]P%" description:"the change below which nobody cares (default: 5%, p99=20%, p999=20%, errors=0.1%)"`
	Unlike    bool     `long:"unlike" description:"compare runs of other rates, scenarios, durations or machines too, with a note"`
	Filter    filter   `group:"Filter"`
	Args      struct {
		Runs []string `positional-arg-name:"RUN" description:"an id, an unambiguous beginning of one, latest, or KEY=VALUE for all runs that have it"`
	} `positional-args:"yes"`
}

// repeatVs lets several runs follow one --vs: go-flags takes one value for each.
func repeatVs(args []string) []string {
	var out []string
	after := false
	for i, arg := range args {
		switch {
		case arg == "--":
			return append(out, args[i:]...)
		case arg == "--vs" || arg == "-vs":
			after = true
			continue
		case strings.HasPrefix(arg, "-"):
			after = false
		case after:
			arg = "--vs=" + arg
		}
		out = append(out, arg)
	}
	return out
}

// sets makes the sets that are compared, the base first, and tells by which key.
func (ch *choice) sets(c *command) ([]compare.Set, string, error) {
	runs, err := ch.Filter.choose(c, nil)
	if err != nil {
		return nil, "", err
	}
	if len(ch.Args.Runs) > 0 || len(ch.Vs) > 0 {
		if ch.By != "" {
			return nil, "", cli.Usagef("--by %q: accepted without runs by name, or name runs before and after --vs", ch.By)
		}
		sets, err := ch.named(c, runs)
		return sets, "", err
	}
	by := cmp.Or(ch.By, "layout")
	sets, without, err := compare.By(runs, by)
	if err != nil {
		return nil, "", cli.Usagef("--by %q: %w", by, err)
	}
	if len(sets) == 0 {
		return nil, "", cli.Usagef("--by %q: none of %d runs has that key; accepted are keys of the record, for example layout, scenario, label, commit, env.nginx", by, len(runs))
	}
	if len(without) > 0 {
		fmt.Fprintf(c.stderr, "results: %d runs without %q left out\n", len(without), by)
	}
	sets, err = ch.baseFirst(sets)
	return sets, by, err
}

func (ch *choice) baseFirst(sets []compare.Set) ([]compare.Set, error) {
	if ch.Base == "" {
		return sets, nil
	}
	var names []string
	for i, s := range sets {
		if s.Name == ch.Base {
			rest := append(append([]compare.Set{}, sets[:i]...), sets[i+1:]...)
			return append([]compare.Set{s}, rest...), nil
		}
		names = append(names, s.Name)
	}
	return nil, cli.Usagef("--base %q: accepted are %s", ch.Base, strings.Join(names, ", "))
}

// named makes two sets of runs that were named one by one. Of two runs without --vs each is a set.
func (ch *choice) named(c *command, runs []*run.Record) ([]compare.Set, error) {
	before, after := ch.Args.Runs, ch.Vs
	if len(after) == 0 && len(before) == 2 {
		before, after = before[:1], before[1:]
	}
	base, err := c.pick(runs, before)
	if err != nil {
		return nil, err
	}
	other, err := c.pick(runs, after)
	if err != nil {
		return nil, err
	}
	if runs := slices.Concat(base, other); len(base) == 0 || len(other) == 0 {
		name := "runs"
		if len(runs) == 1 && runs[0].Layout != "" {
			name = runs[0].Layout
		}
		return []compare.Set{{Name: name, Runs: runs}}, nil
	}
	nameBase, nameOther := names(base, other)
	return []compare.Set{{Name: nameBase, Runs: base}, {Name: nameOther, Runs: other}}, nil
}

// pick finds runs by references, each one run or, as KEY=VALUE, several. None is taken twice.
func (c *command) pick(runs []*run.Record, refs []string) ([]*run.Record, error) {
	var out []*run.Record
	seen := map[string]bool{}
	take := func(r *run.Record) {
		if !seen[r.ID] {
			seen[r.ID] = true
			out = append(out, r)
		}
	}
	for _, ref := range refs {
		key, value, several := strings.Cut(ref, "=")
		if !several {
			r, err := c.resolve(runs, ref)
			if err != nil {
				return nil, err
			}
			take(r)
			continue
		}
		found := false
		for _, r := range runs {
			v, ok, err := compare.Value(r, key)
			if err != nil {
				return nil, cli.Usagef("%q: %w", ref, err)
			}
			if ok && v == value {
				found = true
				take(r)
			}
		}
		if !found {
			return nil, cli.Hint(fmt.Errorf("%q: %w", c.Dir, &run.NotFoundError{Ref: ref}), "%s", whatThereIs(runs, key, value))
		}
	}
	return out, nil
}

// whatThereIs says which values runs have under a key, those first that are most like the one that none has.
func whatThereIs(runs []*run.Record, key, like string) string {
	var values []string
	for _, r := range runs {
		if v, ok, err := compare.Value(r, key); err == nil && ok && v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return fmt.Sprintf("no run has a %s", key)
	}
	slices.SortStableFunc(values, func(a, b string) int { return cmp.Compare(distance(a, like), distance(b, like)) })
	more := ""
	if n := len(values) - mostValues; n > 0 {
		values, more = values[:mostValues], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("there are runs of %s %s%s; \"results list\" lists them", key, strings.Join(values, ", "), more)
}

// mostValues is how many are named of many.
const mostValues = 6

// distance is how many letters have to be changed, added or left out to make b of a (Levenshtein).
func distance(a, b string) int {
	to := []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, from := range []rune(a) {
		left := row[0]
		row[0] = i + 1
		for j, r := range to {
			change := left
			if from != r {
				change++
			}
			left = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(to)]
}

// names finds what tells two sets apart: the first key in which each is uniform and they differ.
func names(base, other []*run.Record) (string, string) {
	uniform := func(runs []*run.Record, key string) string {
		first, _, _ := compare.Value(runs[0], key)
		for _, r := range runs {
			if v, _, err := compare.Value(r, key); err != nil || v != first {
				return ""
			}
		}
		return first
	}
	for _, key := range []string{"layout", "label", "scenario", "commit", "nginx", "rate"} {
		a, b := uniform(base, key), uniform(other, key)
		if a != "" && b != "" && a != b {
			return a, b
		}
	}
	if len(base) == 1 && len(other) == 1 {
		return base[0].ID, other[0].ID
	}
	return "before --vs", "after --vs"
}

// tables compares the first set with each other one.
func (ch *choice) tables(sets []compare.Set, by string) ([]*compare.Table, error) {
	opt, err := ch.options(by)
	if err != nil {
		return nil, err
	}
	tables, err := compare.Compare(sets, opt)
	if _, unlike := errors.AsType[*compare.UnlikeError](err); unlike {
		return nil, cli.Hint(err, "choose with --rate, --scenario, --label or --since, or compare anyway with --unlike")
	}
	return tables, err
}

// options reads the flags that say how to compare.
func (ch *choice) options(by string) (compare.Options, error) {
	opt := compare.Options{By: by, Unlike: ch.Unlike, Thresholds: map[string]float64{}}
	var keys []string
	for _, m := range compare.Metrics() {
		keys = append(keys, m.Key)
	}
	for _, list := range ch.Metrics {
		for key := range strings.SplitSeq(list, ",") {
			if !slices.Contains(keys, key) {
				return opt, cli.Usagef("--metrics %q: accepted are %s, separated by commas", list, strings.Join(keys, ", "))
			}
			opt.Metrics = append(opt.Metrics, key)
		}
	}
	for _, text := range ch.Threshold {
		key, percent, one := strings.Cut(text, "=")
		if !one {
			key, percent = "", text
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(percent, "%")), 64)
		if err != nil || !(v >= 0 && v <= 1000) || one && !slices.Contains(keys, key) {
			return opt, cli.Usagef("--threshold %q: accepted are a percentage for all metrics, for example 5%%, or for one, for example p99=20%%; metrics are %s",
				text, strings.Join(keys, ", "))
		}
		for _, k := range keys {
			if k == key || !one {
				opt.Thresholds[k] = v / 100
			}
		}
	}
	return opt, nil
}
