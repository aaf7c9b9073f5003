package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jessevdk/go-flags"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/scenario"
	"balanceo/loadgen/slo"
	"balanceo/topology/cli"
)

// options are the flags as they were typed. What needs more than a word to be right is kept as text, so that
// a mistake can be answered with what is accepted.
type options struct {
	Rate      string   `short:"r" long:"rate" default:"200" value-name:"N" description:"requests per second over all routes; 0: as fast as it goes, with latency counted from sending"`
	Target    string   `short:"t" long:"target" default:":80" env:"BALANCEO_TARGET" value-name:"ADDR" description:":PORT, HOST:PORT, or an http or https URL"`
	Duration  string   `short:"d" long:"duration" default:"15s" value-name:"TIME" description:"length of the measured part"`
	Warmup    string   `short:"u" long:"warmup" default:"2s" value-name:"TIME" description:"sent before and not counted"`
	Scenario  string   `short:"s" long:"scenario" default:"mix" value-name:"NAME" description:"mix, site, randoms, session, ws, or a YAML file of requests"`
	Cant      string   `short:"c" long:"cant" default:"1000" value-name:"N" description:"numbers that a request to /api/randoms asks for"`
	Workers   string   `short:"w" long:"workers" value-name:"N" description:"most requests under way at once (default: by the rate, 64 to 512)"`
	Pace      string   `short:"p" long:"pace" default:"constant" value-name:"PACE" description:"constant, poisson (both at -rate), ramp:FROM:TO, step:R1:R2:…, sine:MEAN:AMPLITUDE[:PERIOD]"`
	FindMax   string   `long:"find-max" value-name:"SLO" description:"find the highest rate that holds, as 'p99<20ms,errors<0.1%'"`
	Assert    []string `short:"a" long:"assert" value-name:"EXPR" description:"exit 3 unless it holds, as p99<50ms, errors<0.1%, deviation<1; may be repeated"`
	NginxConf string   `short:"n" long:"nginx-conf" value-name:"FILE" description:"where the expected shares stand (default: the running layout's, else ./nginx.conf)"`
	Timeout   string   `long:"timeout" default:"30s" value-name:"TIME" description:"of one request"`
	Insecure  bool     `short:"k" long:"insecure" description:"accept any certificate"`
	Users     int      `long:"users" default:"50" value-name:"N" description:"scenario session: users"`
	Clients   int      `long:"clients" default:"200" value-name:"N" description:"scenario ws: websocket clients"`
	Seed      uint64   `long:"seed" default:"1" value-name:"N" description:"of the arrivals of -pace poisson"`
	Label     string   `short:"l" long:"label" value-name:"TEXT" description:"noted in the record"`
	Out       string   `short:"o" long:"out" default:"results/runs" value-name:"DIR" description:"where the record is written"`
	JSON      bool     `short:"j" long:"json" description:"print the record instead of the report"`
	Quiet     bool     `short:"q" long:"quiet" description:"no live view"`
	Version   bool     `long:"version" description:"print the version"`
}

// plan is one call of loadgen, checked.
type plan struct {
	rate             float64 // 0: as fast as it goes
	paceText         string
	target           attack.Target
	targetText       string
	duration, warmup time.Duration
	scenario         *scenario.Scenario // nil: acting is set
	acting           string             // scenario.Session, scenario.WebSocket or empty
	workers          int                // 0: by the rate
	search           *slo.SLO           // of -find-max; nil: one run
	step             bool               // one of the runs of a search, whose record is not kept
	asserts          []slo.Condition
	nginxConf        string
	timeout          time.Duration
	insecure         bool
	users, clients   int
	cookie           string // of the user who sends products; set by prepare
	seed             uint64
	label, out       string
	json, quiet      bool
	command          []string
}

func parseOptions(args []string) (*options, error) {
	var o options
	parser := flags.NewNamedParser("loadgen", flags.HelpFlag)
	parser.ShortDescription = "load an nginx and explain what it saw"
	if _, err := parser.AddGroup("Options", "", &o); err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	rest, err := cli.Parse(parser, args)
	switch {
	case err != nil:
		return nil, err
	case len(rest) > 0:
		return nil, cli.Usagef("argument %q: only flags are accepted; see loadgen --help", rest[0])
	}
	return &o, nil
}

// plan checks the flags. Every error is a cli.UsageError, but for files that can't be read.
func (o *options) plan() (*plan, error) {
	p := &plan{
		targetText: o.Target, paceText: o.Pace, nginxConf: o.NginxConf, insecure: o.Insecure, seed: o.Seed,
		label: o.Label, out: o.Out, json: o.JSON, quiet: o.Quiet, users: o.Users, clients: o.Clients,
	}
	var err error
	p.rate, err = strconv.ParseFloat(o.Rate, 64)
	if err != nil || p.rate < 0 || math.IsInf(p.rate, 0) || math.IsNaN(p.rate) {
		return nil, cli.Usagef("-rate %q: want requests per second, 0 or more (0: as fast as it goes)", o.Rate)
	}
	if p.target, err = attack.ParseTarget(o.Target); err != nil {
		return nil, cli.Usagef("-target %q: %w", o.Target, err)
	}
	for _, d := range []struct {
		flag, text string
		least      time.Duration
		into       *time.Duration
	}{
		{"-duration", o.Duration, time.Millisecond, &p.duration},
		{"-warmup", o.Warmup, 0, &p.warmup},
		{"-timeout", o.Timeout, time.Millisecond, &p.timeout},
	} {
		*d.into, err = time.ParseDuration(d.text)
		if err != nil || *d.into < d.least {
			return nil, cli.Usagef("%s %q: want a time of %v or more, as 500ms, 15s, 2m", d.flag, d.text, d.least)
		}
	}
	if o.Workers != "" {
		if p.workers, err = strconv.Atoi(o.Workers); err != nil || p.workers < 1 || p.workers > maxWorkers {
			return nil, cli.Usagef("-workers %q: want a number from 1 to %d", o.Workers, maxWorkers)
		}
	}
	for _, n := range []struct {
		flag  string
		given int
	}{{"-users", o.Users}, {"-clients", o.Clients}} {
		if n.given < 1 || n.given > maxWorkers {
			return nil, cli.Usagef("%s %d: want a number from 1 to %d", n.flag, n.given, maxWorkers)
		}
	}
	return p, errors.Join(o.loadInto(p), o.judgeInto(p))
}

// maxWorkers is how many connections one address of this machine can have to the target, about.
const maxWorkers = 28000

// loadInto reads what is to be sent and when.
func (o *options) loadInto(p *plan) error {
	cant, err := strconv.Atoi(o.Cant)
	if err != nil || cant < 1 {
		return cli.Usagef("-cant %q: want a number of numbers, 1 or more", o.Cant)
	}
	if _, err := p.schedule(p.rate); err != nil {
		return err
	}
	switch {
	case o.Scenario == scenario.Session || o.Scenario == scenario.WebSocket:
		p.acting = o.Scenario
		if o.FindMax != "" {
			return cli.Usagef("-find-max with -scenario %s: only scenarios of requests can be searched", o.Scenario)
		}
	case strings.ContainsAny(o.Scenario, "./\\") && !slices.Contains(scenario.Names(), o.Scenario):
		p.scenario, err = scenario.Load(o.Scenario)
	default:
		p.scenario, err = scenario.Builtin(o.Scenario, cant)
	}
	return err
}

// judgeInto reads what the run is held to.
func (o *options) judgeInto(p *plan) error {
	for _, text := range o.Assert {
		c, err := slo.Parse(text)
		if err != nil {
			return cli.Usagef("-assert %q: %w", text, err)
		}
		p.asserts = append(p.asserts, c...)
	}
	if o.FindMax != "" {
		c, err := slo.Parse(o.FindMax)
		if err != nil {
			return cli.Usagef("-find-max %q: %w", o.FindMax, err)
		}
		if pace.OwnRates(o.Pace) {
			return cli.Usagef("-find-max with -pace %s: accepted are constant and poisson", o.Pace)
		}
		p.search = &slo.SLO{Text: o.FindMax, Conditions: c}
	}
	return nil
}

// schedule is when requests are due at that rate.
func (p *plan) schedule(rate float64) (pace.Schedule, error) {
	if rate == 0 && !pace.OwnRates(p.paceText) {
		if p.paceText != "constant" {
			return pace.Schedule{}, cli.Usagef("-pace %q with -rate 0: as fast as it goes has no pace", p.paceText)
		}
		return pace.Unpaced(p.warmup, p.duration), nil
	}
	shape, err := pace.Parse(p.paceText, rate, p.duration, p.seed)
	if err != nil {
		return pace.Schedule{}, cli.Usagef("-pace %q: %w", p.paceText, err)
	}
	s := pace.NewSchedule(shape, p.warmup, p.duration)
	if s.Measured() == 0 {
		return s, cli.Usagef("-rate %v: no request is due within -duration %v", rate, p.duration)
	}
	return s, nil
}

// requestedRate is what the record calls the rate: as it was given, or the mean of a pace with rates of its own.
func (p *plan) requestedRate(rate float64, s pace.Schedule) float64 {
	if pace.OwnRates(p.paceText) {
		return s.Rate()
	}
	return rate
}

// workersFor is how many requests may be under way at once. A cap keeps an overloaded server from being
// buried under connections; the time that requests wait for a worker is counted as latency, so the cap hides
// nothing. Half a second's worth of requests is more than a healthy server ever has, and 512 connections are
// more than one machine can serve at once.
func (p *plan) workersFor(s pace.Schedule) int {
	switch {
	case p.workers > 0:
		return p.workers
	case !s.Paced():
		return 64
	}
	return int(min(max(s.Peak()/2, 64), 512))
}
