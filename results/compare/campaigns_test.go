package compare

import (
	"encoding/csv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"balanceo/results/run"
)

// series are the figures of runs of 0.3 s that followed one another against the same servers, on two cores with a load of 25
// from others, as TestTrials of results writes them.
func series(t *testing.T) []run.Record {
	t.Helper()
	f, err := os.Open("testdata/series.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]run.Record, len(rows))
	for i, row := range rows {
		var v [3]float64
		for k, text := range row {
			if v[k], err = strconv.ParseFloat(text, 64); err != nil {
				t.Fatal(err)
			}
		}
		out[i] = run.Record{
			Requests: 300, Responses: 300, SuccessRatio: 1, RequestedRate: 1000, Duration: 0.3, Scenario: "site", Generator: run.Generator{SendRatio: 1},
			Latency: run.Latency{P50: v[0], P99: v[1]}, Servers: &run.Servers{CPUPerRequest: v[2]},
		}
	}
	return out
}

// TestCampaignsOfTheSame draws campaigns of three layouts that are the same, their noise from the series: each round is a
// stretch of it, in its order, so that what follows one another is as alike as it is on a real machine. At most 5 % of the
// families, all tables of a campaign together, may show a difference.
func TestCampaignsOfTheSame(t *testing.T) {
	const campaigns, rounds, layouts = 10_000, 10, 3
	runs := series(t)
	rng := rand.New(rand.NewPCG(10, 14))
	alarms := 0
	for range campaigns {
		pairs := make([][]pair, layouts-1)
		for round := range rounds {
			stretch := runs[rng.IntN(len(runs)-layouts+1):]
			side := func(k int) *run.Record {
				if round%2 == 1 {
					k = layouts - 1 - k
				}
				return &stretch[k]
			}
			for k := range pairs {
				pairs[k] = append(pairs[k], pair{side(0), side(k + 1)})
			}
		}
		if families(pairs) {
			alarms++
		}
	}
	t.Logf("%d of %d campaigns of the same show a difference", alarms, campaigns)
	if alarms > campaigns/20 {
		t.Errorf("%d of %d campaigns of the same show a difference, want 5 %% at most", alarms, campaigns)
	}
}

// families judges all tables of a campaign as one family, and tells whether any row shows a difference.
func families(pairs [][]pair) bool {
	var opt Options
	opt.defaults()
	var tables []*Table
	for _, of := range pairs {
		t := &Table{}
		for _, m := range Metrics() {
			if row, ok := newRow(m, of, opt); ok {
				t.Rows = append(t.Rows, row)
			}
		}
		tables = append(tables, t)
	}
	decide(tables)
	return slices.ContainsFunc(tables, func(t *Table) bool {
		return slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Significant })
	})
}

// TestCampaignsCutFromTheSeries compares real runs with real runs of the same: campaigns of eight pairs of neighbours, the
// order turned round from pair to pair. As many as three in twenty may show a difference.
func TestCampaignsCutFromTheSeries(t *testing.T) {
	const each = 8
	runs := series(t)
	campaigns, alarms := 0, 0
	for ; len(runs) >= 2*each; runs = runs[2*each:] {
		var pairs []pair
		for k := range each {
			p := pair{&runs[2*k], &runs[2*k+1]}
			if k%2 == 1 {
				p = pair{p.other, p.base}
			}
			pairs = append(pairs, p)
		}
		campaigns++
		if families([][]pair{pairs}) {
			alarms++
		}
	}
	t.Logf("%d of %d campaigns of the same, cut from one series, show a difference", alarms, campaigns)
	if alarms*20 > 3*campaigns {
		t.Errorf("%d of %d campaigns of the same show a difference, want three in twenty at most", alarms, campaigns)
	}
}
