package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/scenario"
	"balanceo/loadgen/tally"
	"balanceo/topology/cli"
)

// load is what is sent: requests, and for the scenarios that need accounts, who sends.
type load struct {
	*scenario.Scenario
	cookie string // of the user who sends products, in scenario ws
}

// load reads or makes the requests. The users of the scenarios that need any are signed up, so that this is no part
// of what is measured.
func (p *plan) load(ctx context.Context, id string) (l load, err error) {
	switch {
	case p.targetsFile != "":
		l.Scenario, err = p.targets()
	case p.signsUp():
		l, err = p.signUp(ctx, id)
	case p.scenarioName == scenario.URL:
		get := attack.Get(p.target.Slash + p.target.Query)
		l.Scenario, err = scenario.New(scenario.URL, []attack.Request{get})
	case strings.ContainsAny(p.scenarioName, "./\\"):
		l.Scenario, err = scenario.Load(p.scenarioName)
	default:
		l.Scenario, err = scenario.Builtin(p.scenarioName, p.cant)
	}
	if err != nil {
		return l, err
	}
	for i := range l.Requests {
		r := &l.Requests[i]
		if _, whole := r.Whole(); !whole {
			r.URL = p.target.Prefix + r.URL
		}
		if p.method != "" {
			r.Method = p.method
		}
		if p.body != nil {
			r.Body = p.body
		}
		r.Header = r.Header.Clone()
		for name, values := range p.header {
			if r.Header == nil {
				r.Header = http.Header{}
			}
			r.Header[name] = values
		}
	}
	return l, nil
}

// targets reads -targets: vegeta's json format where it begins with a brace, else its http format.
func (p *plan) targets() (*scenario.Scenario, error) {
	in := io.Reader(os.Stdin)
	if p.targetsFile != "-" {
		f, err := os.Open(p.targetsFile)
		if err != nil {
			return nil, fmt.Errorf("-targets: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("-targets %q: %w", p.targetsFile, err)
	}
	targets, err := readTargets(data)
	if err != nil {
		return nil, fmt.Errorf("-targets %q: %w", p.targetsFile, err)
	}
	requests := make([]attack.Request, len(targets))
	for i, t := range targets {
		requests[i] = attack.Request{Target: t, Weight: 1}
	}
	return scenario.New("targets", requests)
}

// readTargets reads vegeta's formats. Of equal requests one is kept for each time that they are to be sent.
func readTargets(data []byte) (out []vegeta.Target, err error) {
	targeter := vegeta.NewHTTPTargeter(bytes.NewReader(data), nil, nil)
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) > 0 && first[0] == '{' {
		targeter = vegeta.NewJSONTargeter(bytes.NewReader(data), nil, nil)
	}
	if out, err = vegeta.ReadAllTargets(targeter); err != nil {
		return nil, err
	}
	for _, t := range out {
		if !strings.HasPrefix(t.URL, "/") && !strings.HasPrefix(t.URL, "http://") && !strings.HasPrefix(t.URL, "https://") {
			return nil, fmt.Errorf("URL %q: want an http or https URL, or a path of -target", t.URL)
		}
	}
	return out, nil
}

// signUp makes the accounts of the scenarios that need any.
func (p *plan) signUp(ctx context.Context, id string) (l load, err error) {
	users := 1
	if p.scenarioName == scenario.Session {
		users = p.users
	}
	accounts := scenario.Accounts{
		URL: p.target.URL(), UserAgent: agent(id) + tally.WarmupSuffix, TLS: p.client.TLS, Prefix: id,
	}
	cookies, err := accounts.SignUp(ctx, users)
	switch {
	case errors.Is(err, context.Canceled):
		return l, fmt.Errorf("interrupted: %w", err)
	case err != nil:
		return l, cli.Hint(err, "scenario %s needs an application with POST /signup; is the layout up? `topology status` tells", p.scenarioName)
	}
	if p.scenarioName == scenario.Session {
		l.Scenario, err = scenario.SignedIn(cookies)
		return l, err
	}
	l.cookie = cookies[0]
	l.Scenario, err = scenario.New(scenario.WebSocket, []attack.Request{attack.Get("/ws")})
	return l, err
}

// uris are the paths with their queries, by the index of the request.
func (l load) uris() []string {
	out := make([]string, len(l.Requests))
	for i, r := range l.Requests {
		out[i] = r.URI()
	}
	return out
}
