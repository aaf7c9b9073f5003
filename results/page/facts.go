package page

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"balanceo/results/compare"
	"balanceo/results/run"
	"balanceo/results/units"
)

// values lists what the runs say, each once, in the order of the runs.
func values(runs []*run.Record, of func(*run.Record) string) string {
	var out []string
	for _, r := range runs {
		if v := of(r); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return strings.Join(out, ", ")
}

func facts(in Input) []fact {
	runs := all(in.Sets)
	rated := slices.DeleteFunc(slices.Clone(runs), func(r *run.Record) bool { return r.Search != nil })
	if len(rated) == 0 {
		rated = runs
	}
	earlier := func(a, b *run.Record) int { return a.Started.Compare(b.Started) }
	first, last := slices.MinFunc(runs, earlier).Started, slices.MaxFunc(runs, earlier).Started
	when := first.Local().Format("2 January 2006, 15:04")
	if !first.Equal(last) {
		when += " to " + last.Local().Format("15:04")
		if first.Local().Format(time.DateOnly) != last.Local().Format(time.DateOnly) {
			when = first.Local().Format("2 January 2006 15:04") + " to " + last.Local().Format("2 January 2006 15:04")
		}
	}
	count := ""
	if len(runs) > 1 {
		count = countRuns(len(runs))
	}
	return []fact{
		{"When", when},
		{"Runs", count},
		{"Rate", values(rated, func(r *run.Record) string {
			if r.RequestedRate == 0 {
				return "as fast as it goes"
			}
			return units.Format(r.RequestedRate, units.PerSecond)
		})},
		{"Length", values(rated, func(r *run.Record) string { return units.Format(r.Duration, units.Seconds) })},
		{"Scenario", values(runs, func(r *run.Record) string { return r.Scenario })},
		{"Machine", values(runs, func(r *run.Record) string { return fmt.Sprintf("%s, %d cores", r.Env.CPU, r.Env.Cores) })},
	}
}

func environment(sets []compare.Set) []fact {
	runs := all(sets)
	var out []fact
	for _, f := range []struct {
		name string
		of   func(*run.Record) string
	}{
		{"Operating system", func(r *run.Record) string { return r.Env.OS }},
		{"Processor", func(r *run.Record) string { return r.Env.CPU }},
		{"Cores", func(r *run.Record) string { return strconv.Itoa(r.Env.Cores) }},
		{"Go", func(r *run.Record) string { return r.Env.Go }},
		{"Balancer", balancerOf},
		{"Database", func(r *run.Record) string { return r.Env.Database }},
		{"Commit", func(r *run.Record) string { return r.Env.Commit }},
		{"Layout", func(r *run.Record) string { return r.Layout }},
		{"Label", func(r *run.Record) string { return r.Label }},
		{"Pace", func(r *run.Record) string { return r.Pace }},
		{"Sent", func(r *run.Record) string {
			if r.Search != nil || r.Valid() {
				return ""
			}
			if r.Lagged() != nil {
				return fmt.Sprintf("run %s: late by itself", r.ID)
			}
			return fmt.Sprintf("run %s: only %s of the rate", r.ID, units.Percent(r.Generator.SendRatio))
		}},
	} {
		if v := values(runs, f.of); v != "" {
			out = append(out, fact{f.name, v})
		}
	}
	return out
}

// balancerOf is what shared the load of a run; empty: not known.
func balancerOf(r *run.Record) string {
	version := strings.TrimPrefix(r.Env.Nginx, "nginx/")
	if known := r.Env.Balancer; known != "" && known != "nginx" || version == "" || version == "unknown" {
		return known
	}
	return "nginx " + version
}

// verdicts tells of each group in how many runs its shares were as promised.
func verdicts(sets []compare.Set) []fact {
	var out []fact
	for _, name := range groupNames(sets) {
		passed, judged := 0, 0
		reason, method := "", ""
		for _, r := range all(sets) {
			for _, g := range r.Groups {
				if g.Name != name {
					continue
				}
				method = g.Method
				switch g.Verdict {
				case run.Pass:
					passed++
					judged++
				case run.Fail:
					judged++
					if len(g.Reasons) > 0 && reason == "" {
						reason = "; " + r.ID + ": " + g.Reasons[0]
					}
				}
			}
		}
		text := "makes no promise that could be checked"
		if judged > 0 {
			text = fmt.Sprintf("as promised in %d of %s%s", passed, countRuns(judged), reason)
			if passed == 1 && judged == 1 {
				text = "as promised"
			}
		}
		out = append(out, fact{name + " (" + strings.ReplaceAll(method, "_", " ") + ")", text})
	}
	return out
}

// warnings collects those of the runs, each once.
func warnings(sets []compare.Set) []string {
	var out []string
	counts := map[string]int{}
	for _, r := range all(sets) {
		for _, w := range r.Warnings {
			if counts[w] == 0 {
				out = append(out, w)
			}
			counts[w]++
		}
	}
	const most = 12
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("… and %d more", len(out)-most))
	}
	for i, w := range out {
		if counts[w] > 1 {
			out[i] = fmt.Sprintf("%s (%s)", w, countRuns(counts[w]))
		}
	}
	return out
}

// commands are what repeats the runs, one a set and kind.
func commands(sets []compare.Set) []string {
	var out []string
	for _, s := range sets {
		seen := map[bool]bool{}
		for _, r := range s.Runs {
			if search := r.Search != nil; len(r.Command) > 0 && !seen[search] {
				seen[search] = true
				line := quote(r.Command)
				if r.Layout != "" {
					line = quote(withoutTarget(r.Command))
					line = "topology run --free-ports --layout " + quote([]string{r.Layout}) + " -- " + line
				}
				if !slices.Contains(out, line) {
					out = append(out, line)
				}
			}
		}
	}
	return out
}

// withoutTarget drops -target: topology tells loadgen where the layout is, and that may be elsewhere next time.
func withoutTarget(args []string) []string { return run.WithoutFlags(args, "target", "t") }

// quote writes arguments so that a shell reads them as they were.
func quote(args []string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+"
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if arg == "" || strings.ContainsFunc(arg, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
			out[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

func countRuns(n int) string { return units.Count(int64(n), "run") }
