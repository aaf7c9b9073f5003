package main

import (
	"errors"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/promise"
	"balanceo/loadgen/scenario"
	"balanceo/loadgen/slo"
	"balanceo/topology/cli"
	"balanceo/topology/ledger"
)

// plan is one call of loadgen, checked: options and nothing else.
type plan struct {
	rate             float64 // 0: as fast as it goes
	paceText         string
	seed             uint64
	target           attack.Target
	targetText       string
	duration, warmup time.Duration
	requests         uint64 // of the measured part, at most; 0: no limit
	part, parts      uint64 // from 0; parts 0: the whole schedule
	startAt          time.Time
	meetAt           string        // address of the ledger where the parts agree on startAt
	clock            *ledger.Clock // this machine's, beside that of where the parts met; nil: not known
	now              func() time.Time

	scenarioName, targetsFile string
	cant, users, clients      int
	header                    http.Header
	method                    string // of all requests; empty: their own
	body                      []byte // of all requests; nil: their own
	expect                    attack.Expect

	engine      attack.Engine
	workers     int  // 0: by the rate
	inTurn      bool // all connections are opened and used in turn
	noKeepAlive bool
	timeout     time.Duration
	client      attack.Client

	search    *slo.SLO // of -find-max; nil: one run
	step      bool     // one of the runs of a search, whose record is not kept
	asserts   []slo.Condition
	nginxConf string
	by        attack.By
	expected  *promise.Promise // by -expect; nil: to be found
	decided   bool             // end as soon as the shares are decided

	label, out, raw, prom string
	json, quiet           bool
	command               []string
}

// plan checks the flags. Every error is a cli.UsageError, but for files that can't be read.
func (o *options) plan(set map[string]bool) (*plan, error) {
	p := &plan{
		now: time.Now, targetText: o.Load.Target, paceText: o.Load.Pace, seed: o.Load.Seed, requests: o.Load.Requests, scenarioName: o.Load.Scenario,
		targetsFile: o.Load.Targets, cant: o.Load.Cant, users: o.Load.Users, clients: o.Load.Clients,
		method: strings.ToUpper(o.Request.Method), expect: attack.Expect{Status: o.Request.ExpectStatus, Body: o.Request.ExpectBody},
		engine: attack.Engine(o.Client.Engine), noKeepAlive: o.Client.NoKeepAlive,
		nginxConf: o.Judge.NginxConf, label: o.Output.Label, out: o.Output.Out, raw: o.Output.Raw, prom: o.Output.Prom,
		json: o.Output.JSON, quiet: o.Output.Quiet,
	}
	for _, read := range []func(*plan) error{o.Load.into, o.Request.into, o.Client.into, o.Judge.into} {
		if err := read(p); err != nil {
			return nil, err
		}
	}
	if (p.method != "" || p.body != nil || p.target.Query != "") && !set["scenario"] && p.targetsFile == "" {
		p.scenarioName = scenario.URL
	}
	if p.target.Query != "" && p.scenarioName != scenario.URL {
		return nil, cli.Usagef("-target %q: a query is accepted with -scenario url only", p.targetText)
	}
	if p.requests > 0 && !set["duration"] {
		p.duration = longest
	}
	if p.decided = o.Judge.Until != ""; p.decided && !set["duration"] {
		p.duration = longestUndecided
	}
	if p.search != nil && (p.signsUp() || p.parts > 0 || p.requests > 0 || p.decided) {
		return nil, cli.Usagef("-find-max with -scenario %s, -part, -requests or -until: only whole runs of requests can be searched", p.scenarioName)
	}
	return p, nil
}

// longest is how long a run lasts at most of which only the number of requests is given.
const longest = 1000 * time.Hour

// longestUndecided is how long -until decided tries by itself.
const longestUndecided = 10 * time.Minute

// maxWorkers is how many connections one address of this machine can have to the target, about.
const maxWorkers = 28000

func (o *loadOptions) into(p *plan) (err error) {
	p.rate, err = strconv.ParseFloat(o.Rate, 64)
	if err != nil || p.rate < 0 || math.IsInf(p.rate, 0) || math.IsNaN(p.rate) {
		return cli.Usagef("-rate %q: want requests per second, 0 or more (0: as fast as it goes)", o.Rate)
	}
	if p.target, err = attack.ParseTarget(o.Target); err != nil {
		return cli.Usagef("-target %q: %w", o.Target, err)
	}
	for _, n := range []struct {
		flag         string
		given, least int
		most         int
	}{
		{"-cant", o.Cant, 1, math.MaxInt}, {"-users", o.Users, 1, maxWorkers}, {"-clients", o.Clients, 1, maxWorkers},
	} {
		if err := between(n.flag, n.given, n.least, n.most); err != nil {
			return err
		}
	}
	if o.Workers != nil {
		p.workers = *o.Workers
		if err := between("-workers", p.workers, 1, maxWorkers); err != nil {
			return err
		}
	}
	if p.duration, err = readDuration("-duration", o.Duration, time.Millisecond); err != nil {
		return err
	}
	if p.warmup, err = readDuration("-warmup", o.Warmup, 0); err != nil {
		return err
	}
	if o.Part != "" {
		if p.part, p.parts, err = readPart(o.Part); err != nil {
			return cli.Usagef("-part %q: %w", o.Part, err)
		}
	}
	if o.StartAt != "" {
		return o.readStart(p)
	}
	return nil
}

func between(flag string, given, least, most int) error {
	if given < least || given > most {
		if most == math.MaxInt {
			return cli.Usagef(`%s "%d": want a number from %d on`, flag, given, least)
		}
		return cli.Usagef(`%s "%d": want a number from %d to %d`, flag, given, least, most)
	}
	return nil
}

func readDuration(flag, text string, least time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < least {
		return 0, cli.Usagef("%s %q: want a time of %v or more, for example 500ms, 15s, 2m", flag, text, least)
	}
	return d, nil
}

// readPart reads "2/4" as part 1 of 4, counted from 0. A job of Kubernetes counts its pods from 0 by itself.
func readPart(text string) (part, parts uint64, err error) {
	want := errors.New("want K/N with K from 1 to N, for example 2/4")
	k, n, found := strings.Cut(text, "/")
	if k == "-" {
		index, err := strconv.ParseUint(os.Getenv("JOB_COMPLETION_INDEX"), 10, 32)
		if err != nil {
			return 0, 0, errors.New("$JOB_COMPLETION_INDEX is not set to a number")
		}
		k = strconv.FormatUint(index+1, 10)
	}
	part, err1 := strconv.ParseUint(k, 10, 32)
	parts, err2 := strconv.ParseUint(n, 10, 32)
	if !found || err1 != nil || err2 != nil || part < 1 || part > parts {
		return 0, 0, want
	}
	return part - 1, parts, nil
}

func readTime(text string) (time.Time, error) {
	if s, err := strconv.ParseFloat(text, 64); err == nil && s > 0 && s < math.MaxInt32 {
		return time.UnixMicro(int64(s * 1e6)), nil
	}
	return time.Parse(time.RFC3339, text)
}

// signsUp tells whether the scenario needs accounts, for sessions or websockets.
func (p *plan) signsUp() bool {
	return p.targetsFile == "" && (p.scenarioName == scenario.Session || p.scenarioName == scenario.WebSocket)
}
