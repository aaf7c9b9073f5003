// Package campaign measures several sides, layouts or balancers or both, so that they can be compared: the capacity of
// each first, which gives the one rate that all can bear, and then rounds of runs at that rate and of further searches
// for the capacity. Each run has freshly started servers. The order of the sides is turned round from one round to the
// next (A B, B A, A B …), so that a machine that gets slower or faster meanwhile does none a favour. Each record names
// its side and its round.
//
// What has been done is kept in a file beside the records. A campaign that was interrupted goes on from there.
package campaign

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"balanceo/results/run"
)

// Settings are what makes two campaigns the same, so that one can go on with the other's runs.
type Settings struct {
	Sides    []Side        `json:"sides"`    // the others are held against the first
	Rounds   int           `json:"rounds"`   // runs of each side
	Searches int           `json:"searches"` // for the capacity of each side
	Rate     float64       `json:"rate"`     // 0: a quarter of the least capacity found
	Duration time.Duration `json:"duration_ns"`
	Probe    time.Duration `json:"probe_ns"` // length of each run of a search
	Warmup   time.Duration `json:"warmup_ns"`
	Scenario string        `json:"scenario"`
	SLO      string        `json:"slo"` // that a rate must hold to count as capacity
}

// Side is what is measured: a layout behind a balancer.
type Side struct {
	Name     string `json:"name"`               // in records and tables
	Layout   string `json:"layout"`             // a name or a file
	Balancer string `json:"balancer,omitempty"` // empty: the layout's own
}

// Sides are all layouts behind all balancers, in this order, each named by what it differs in from the others. Without a
// balancer each layout has its own. What is given twice is measured twice, as another side: a comparison of the same.
func Sides(layouts, balancers []string) []Side {
	if len(balancers) == 0 {
		balancers = []string{""}
	}
	var out []Side
	named := map[string]int{}
	for _, l := range layouts {
		for _, b := range balancers {
			name := strings.TrimSuffix(filepath.Base(l), filepath.Ext(l))
			switch {
			case len(balancers) == 1:
			case len(layouts) == 1:
				name = b
			default:
				name += " " + b
			}
			if named[name]++; named[name] > 1 {
				name += fmt.Sprint(" ", named[name])
			}
			out = append(out, Side{name, l, b})
		}
	}
	return out
}

// Kind tells the two sorts of steps apart.
type Kind string

// The kinds of steps.
const (
	Search Kind = "search" // for the highest rate
	Rated  Kind = "run"    // at the common rate
)

// Step is one run of loadgen.
type Step struct {
	Kind  Kind          `json:"kind"`
	Side  Side          `json:"side"`
	Round int           `json:"round"`         // of its kind, from 1
	Run   string        `json:"run,omitempty"` // id of its record, once done
	Took  time.Duration `json:"took_ns,omitempty"`
}

// Plan is a campaign and how far it has come.
type Plan struct {
	Label    string    `json:"label"` // of all its records
	Settings Settings  `json:"settings"`
	Started  time.Time `json:"started"`
	Rate     float64   `json:"rate"` // in force; 0 until the searches are done
	Steps    []Step    `json:"steps"`
}

// stateFile has an ending that no record has, so that the store passes over it.
const stateFile = "campaign.state"

// goStale is the age from which an interrupted campaign is not gone on with: runs of different days have
// little but the machine's name in common.
const goStale = 12 * time.Hour

// NewPlan lays out the steps: a search of each side, which tells the rate, then the rounds in alternating order.
func NewPlan(s Settings, now time.Time) *Plan {
	p := &Plan{Label: "campaign-" + run.NewID(now), Settings: s, Started: now, Rate: s.Rate}
	add := func(kind Kind, round, rounds int) {
		order := slices.Clone(s.Sides)
		if round%2 == 0 {
			slices.Reverse(order)
		}
		for _, side := range order {
			if round <= rounds {
				p.Steps = append(p.Steps, Step{Kind: kind, Side: side, Round: round})
			}
		}
	}
	for round := 1; round <= max(s.Rounds, s.Searches); round++ {
		add(Search, round, s.Searches)
		add(Rated, round, s.Rounds)
	}
	return p
}

// Load returns the interrupted campaign in dir if it has these settings and is not stale, else nil.
func Load(dir string, s Settings, now time.Time) (*Plan, error) {
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of the campaign: %w", err)
	}
	p := new(Plan)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("read the state of the campaign %q: %w", path, err)
	}
	if !reflect.DeepEqual(p.Settings, s) || now.Sub(p.Started) > goStale || p.next() < 0 {
		return nil, nil
	}
	return p, nil
}

// save keeps how far the campaign has come.
func (p *Plan) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder of run records %q: %w", dir, err)
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the state of the campaign: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(dir, stateFile), data, 0o644, renameio.WithTempDir(dir)); err != nil {
		return fmt.Errorf("write the state of the campaign: %w", err)
	}
	return nil
}

// next is the index of the first step that is not done, or -1.
func (p *Plan) next() int { return slices.IndexFunc(p.Steps, func(s Step) bool { return s.Run == "" }) }

// Done is how many steps are.
func (p *Plan) Done() int {
	n := 0
	for _, s := range p.Steps {
		if s.Run != "" {
			n++
		}
	}
	return n
}

// First guesses of how long a step takes beside its load: bringing the layout up and down, and the probes of
// a search. They give way to what was measured.
const (
	guessOverhead = 2 * time.Second
	guessProbes   = 10 // with a pause and a warm-up as long as themselves
)

// Left estimates the time that the steps not done will take: the mean of the steps of their kind that are.
func (p *Plan) Left() time.Duration {
	var left time.Duration
	for _, kind := range []Kind{Search, Rated} {
		each := p.Settings.Duration + p.Settings.Warmup + guessOverhead
		if kind == Search {
			each = guessProbes*2*p.Settings.Probe + guessOverhead
		}
		var took time.Duration
		done, open := 0, 0
		for _, s := range p.Steps {
			switch {
			case s.Kind != kind:
			case s.Run == "":
				open++
			case s.Took > 0:
				took += s.Took
				done++
			}
		}
		if done > 0 {
			each = took / time.Duration(done)
		}
		left += time.Duration(open) * each
	}
	return left
}
