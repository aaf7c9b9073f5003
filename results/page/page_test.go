package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"balanceo/results/compare"
	"balanceo/results/run"
	"balanceo/results/run/runtest"
	"balanceo/results/units"
)

// campaign makes what "make compare" leaves: rounds of each layout in alternating order, and a search of each.
func campaign(t testing.TB, rounds int, specs ...runtest.Spec) Input {
	t.Helper()
	at := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	sets := make([]compare.Set, len(specs))
	add := func(i int, capacity float64) {
		spec := specs[i]
		spec.Started, spec.Capacity = at, capacity
		at = at.Add(20 * time.Second)
		sets[i].Name = spec.Layout
		sets[i].Runs = append(sets[i].Runs, runtest.Record(spec))
	}
	for i, spec := range specs {
		if spec.Capacity > 0 {
			add(i, spec.Capacity)
		}
	}
	for round := range rounds {
		for k := range specs {
			if round%2 == 1 {
				k = len(specs) - 1 - k
			}
			add(k, 0)
		}
	}
	in := Input{Sets: sets, Now: at}
	if len(sets) > 1 {
		var err error
		if in.Tables, err = compare.Compare(sets, compare.Options{By: "layout"}); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

func four(t testing.TB) Input {
	return campaign(t, 10,
		runtest.Spec{Layout: "fork", Rate: 4100, Capacity: 9000},
		runtest.Spec{Layout: "cluster", Rate: 4100, Capacity: 8200, Slower: 1.2},
		runtest.Spec{Layout: "single", Rate: 4100, Capacity: 8900},
		runtest.Spec{Layout: "seed", Rate: 4100, Capacity: 8500, Slower: 0.7})
}

func TestVerdict(t *testing.T) {
	behind := func(balancer string) Input {
		in := campaign(t, 1, runtest.Spec{Layout: "fork"})
		in.Sets[0].Runs[0].Env.Balancer = balancer
		return in
	}
	for name, c := range map[string]struct {
		in   Input
		want string // a regular expression
	}{
		"differences": {
			four(t),
			`^Against fork, at 4100 requests a second, cluster has [12][0-9]\.[0-9] % higher median latency.* higher CPU a request.*; ` +
				`seed has [23][0-9]\.[0-9] % lower median latency.*; these runs can't tell single from fork\.$`,
		},
		"none": {
			campaign(t, 4, runtest.Spec{Layout: "fork"}, runtest.Spec{Layout: "seed"}, runtest.Spec{Layout: "single"}),
			`^At 200 requests a second, these runs can't tell seed and single from fork\.$`,
		},
		"one run": {
			campaign(t, 1, runtest.Spec{Layout: "fork"}),
			`^All 3,000 requests were answered, half of them within [0-9]+ µs and 99 % within [0-9.]+ ms, and load was shared as promised\.$`,
		},
		"behind another balancer": {
			behind("haproxy 2.6.12"),
			` and load was shared as haproxy promises\.$`,
		},
		"errors": {
			campaign(t, 1, runtest.Spec{Layout: "fork", Errors: 30}),
			`^1\.0 % of 3,000 requests failed\.`,
		},
	} {
		got := strings.ReplaceAll(newView(c.in).Title, "\u00a0", " ")
		if !regexp.MustCompile(c.want).MatchString(got) {
			t.Errorf("%s: verdict = %q, want %s", name, got, c.want)
		}
	}
}

func TestVerdictOfFailedGroup(t *testing.T) {
	in := campaign(t, 1, runtest.Spec{Layout: "fork"})
	g := &in.Sets[0].Runs[0].Groups[1]
	g.Verdict, g.Reasons = run.Fail, []string{"serverA was stopped"}
	v := newView(in)
	if want := "node_app_api: serverA was stopped"; !strings.Contains(v.Title, want) {
		t.Errorf("verdict = %q, want %q in it", v.Title, want)
	}
	if got := v.Verdicts[1].Value; !strings.Contains(got, "0 of 1 run; ") || !strings.Contains(got, "serverA was stopped") {
		t.Errorf("verdict on node_app_api = %q, want the reason", got)
	}
}

func TestHTML(t *testing.T) {
	in := four(t)
	in.Sets[1].Runs[2].Warnings = []string{"<script>alert('a warning')</script>"}
	in.Sets[1].Runs[2].Label = `"><img src=x>`
	var b bytes.Buffer
	if err := HTML(&b, in); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, forbidden := range []string{"<script", "<img", "http://", "https://", "@import", "url(", "%!", "NaN", "Inf", "ZgotmplZ", "<no value>"} {
		// The namespace of SVG is a name and no address, and a target is one only in a command.
		rest := strings.NewReplacer("http://www.w3.org/2000/svg", "", "http://www.w3.org/1999/xlink", "").Replace(text)
		if at := strings.Index(rest, forbidden); at >= 0 {
			t.Errorf("the page holds %q: …%s…", forbidden, rest[max(0, at-60):min(len(rest), at+60)])
		}
	}
	svgs := strings.Count(text, "<svg")
	if alts := strings.Count(text, `role="img" aria-label="`); alts < 10 || alts+strings.Count(text, `aria-hidden="true"`) != svgs {
		t.Errorf("%d plots with a text alternative and %d hidden ones of %d drawings; want all, and 10 at least", alts, strings.Count(text, `aria-hidden="true"`), svgs)
	}
	for _, want := range []string{
		"cluster against fork", "Latency by percentile", "Rate against p99", "Latency over time",
		"Shares of node_app_api", "Workers of seed", "How sure that is", "topology run --free-ports --layout cluster -- loadgen", "nginx",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	wellFormed(t, text)
}

// wellFormed reads every drawing as XML.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	for _, svg := range regexp.MustCompile(`(?s)<svg xmlns.*?</svg>`).FindAllString(text, -1) {
		dec := xml.NewDecoder(strings.NewReader(svg))
		for {
			_, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("a drawing is not well-formed: %v\n%.300s", err, svg)
			}
		}
		if strings.Contains(svg, "#") && regexp.MustCompile(`#[0-9A-Fa-f]{6}`).MatchString(svg) {
			t.Errorf("a drawing has a colour of its own, which dark pages can't change: %s", regexp.MustCompile(`.{30}#[0-9A-Fa-f]{6}`).FindString(svg))
		}
	}
}

func TestPageOfLittle(t *testing.T) {
	// A record with next to nothing in it still makes a page.
	empty := &run.Record{ID: "empty", Started: time.Unix(0, 0)}
	search := runtest.Record(runtest.Spec{Capacity: 9000})
	for _, r := range []*run.Record{empty, search} {
		in := Input{Sets: []compare.Set{{Name: "x", Runs: []*run.Record{r}}}}
		for name, write := range map[string]func(io.Writer, Input) error{"HTML": HTML, "Markdown": Markdown} {
			var b bytes.Buffer
			if err := write(&b, in); err != nil || b.Len() == 0 {
				t.Errorf("%s of %q: %v", name, r.ID, err)
			}
			if strings.Contains(b.String(), "NaN") {
				t.Errorf("%s of %q holds NaN", name, r.ID)
			}
		}
	}
}

// TestFailedRuns: a run that failed carries a badge and the reason, and is drawn second by second with what happened.
func TestFailedRuns(t *testing.T) {
	in := campaign(t, 2, runtest.Spec{Layout: "fork"}, runtest.Spec{Layout: "seed"})
	dead := runtest.Record(runtest.Spec{Layout: "seed", Dies: true, Seed: 9, Started: in.Now})
	in.Sets[1].Runs = append(in.Sets[1].Runs, dead)
	in.Tables = nil
	for name, in := range map[string]Input{"among others": in, "alone": {Sets: []compare.Set{{Name: "seed", Runs: []*run.Record{dead}}}, Now: in.Now}} {
		var b bytes.Buffer
		if err := HTML(&b, in); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			`<b class="badge fail">FAIL</b>`, "127.0.0.1:8083 refused connections at 5.00 s", dead.ID, "Shares of node_app_api by second",
			"p99 of node_app_api by second", "<li>5.0 s: serverB refused connections</li>",
		} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
		wellFormed(t, b.String())
	}
}

// TestSingleRun: the page of one run speaks of one run, and leaves out what would be empty.
func TestSingleRun(t *testing.T) {
	in := campaign(t, 1, runtest.Spec{Layout: "fork"})
	var b bytes.Buffer
	if err := HTML(&b, in); err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?s)<style>.*?</style>|<svg.*?</svg>`).ReplaceAllString(b.String(), "")
	for _, forbidden := range []string{"median over", "runs", "Rate over time", "Workers of", "went badly"} {
		if at := strings.Index(text, forbidden); at >= 0 {
			t.Errorf("the page of one run says %q: …%s…", forbidden, text[max(0, at-80):at+40])
		}
	}
	for _, want := range []string{`<b class="badge pass">PASS</b>`, "<h2>The run</h2>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page of one run lacks %q", want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	in := four(t)
	in.Sets[0].Runs[0].Warnings = []string{"a | in a warning"}
	var b bytes.Buffer
	if err := Markdown(&b, in); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"## Against fork", "fork, cluster, single and seed\n", "| latency p50 |", " +1", "** (different, better: fork)", `\~`,
		"### To repeat it\n\n```sh\ntopology run", `a \| in a warning`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("Markdown lacks %q", want)
		}
	}
	// Every table has as many cells in each line as in its heading.
	columns := 0
	for line := range strings.Lines(text) {
		cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		switch {
		case cells == 0:
			columns = 0
		case columns == 0:
			columns = cells
		case cells != columns:
			t.Errorf("a line of %d cells in a table of %d: %s", cells-1, columns-1, line)
		}
	}
}

func TestWithoutTarget(t *testing.T) {
	for _, args := range [][]string{
		{"loadgen", "-rate", "200", "-target", ":80", "-quiet"},
		{"loadgen", "-rate", "200", "--target=:80", "-quiet"},
		{"loadgen", "-t", ":80", "-rate", "200", "-quiet"},
		{"loadgen", "-rate", "200", "-quiet", "-target"},
	} {
		if got, want := quote(withoutTarget(args)), "loadgen -rate 200 -quiet"; got != want {
			t.Errorf("withoutTarget(%q) = %q, want %q", args, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	got := quote([]string{"loadgen", "-rate", "200", "-assert", "p99<50ms", "-label", "it's", "-target", ":80", ""})
	if want := `loadgen -rate 200 -assert 'p99<50ms' -label 'it'\''s' -target :80 ''`; got != want {
		t.Errorf("quote = %s, want %s", got, want)
	}
}

// TestUselessRunsMoveNothing: a run that can't be used is told with its badge and reason, and no figure is drawn from it.
func TestUselessRunsMoveNothing(t *testing.T) {
	specs := []runtest.Spec{{Layout: "fork"}, {Layout: "cluster"}}
	in := campaign(t, 3, specs...)
	bad := in.Sets[0].Runs[1]
	bad.Generator.SendRatio, bad.Latency.P50 = 0.5, 10
	left := []*run.Record{in.Sets[0].Runs[0], in.Sets[0].Runs[2]}
	var err error
	if in.Tables, err = compare.Compare(in.Sets, compare.Options{By: "layout"}); err != nil {
		t.Fatal(err)
	}
	v := newView(in)
	if len(v.Bad) != 1 || v.Bad[0].ID != bad.ID || v.Bad[0].Word != "INVALID" || !strings.Contains(v.Bad[0].Why, "sent 50.0 %") {
		t.Errorf("bad runs %+v, want %s as invalid and why", v.Bad, bad.ID)
	}
	want := units.Format(compare.Median([]float64{left[0].Latency.P50, left[1].Latency.P50}), units.Seconds)
	for _, d := range v.Differences {
		if d.Metric == "latency p50" && d.Cells[0].Value != want {
			t.Errorf("p50 of fork is %s, want %s: that of the runs that can be used", d.Cells[0].Value, want)
		}
	}
}
