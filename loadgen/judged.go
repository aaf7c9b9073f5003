package main

import (
	"path/filepath"
	"strconv"
	"strings"

	"balanceo/loadgen/attack"
	"balanceo/loadgen/pace"
	"balanceo/loadgen/promise"
	"balanceo/loadgen/slo"
	"balanceo/topology/cli"
	"balanceo/topology/layout"
)

// shares reads who answers, and what is expected of them.
func (o *judgeOptions) shares(p *plan) (err error) {
	by := o.By
	if by == "" && o.Expect != "" { // addresses are told by our configurations, names by our servers
		by = "header:" + layout.HeaderInstance
		if strings.Contains(o.Expect, ":") {
			by = "header:" + layout.HeaderUpstream
		}
	}
	if by != "" {
		if p.by, err = attack.ParseBy(by); err != nil {
			return cli.Usagef("-by %q: %w", o.By, err)
		}
		if filepath.Ext(o.NginxConf) != ".json" {
			p.expected = &promise.Promise{} // no configuration knows these servers by these names
		}
	}
	switch {
	case o.Expect == "" && o.Method != "random":
		return cli.Usagef("-method %q: it belongs to -expect", o.Method)
	case o.Expect != "" && o.NginxConf != "":
		return cli.Usagef("-expect %q with -nginx-conf: accepted is one of them", o.Expect)
	case o.Expect != "":
		if p.expected, err = promise.Expected(o.Expect, o.Method, p.by.String()); err != nil {
			return cli.Usagef("-expect %q: %w", o.Expect, err)
		}
	}
	return nil
}

func (o *judgeOptions) into(p *plan) error {
	for _, text := range o.Assert {
		c, err := slo.Parse(text)
		if err != nil {
			return cli.Usagef("-assert %q: %w", text, err)
		}
		p.asserts = append(p.asserts, c...)
	}
	if err := o.shares(p); err != nil {
		return err
	}
	if o.FindMax != "" {
		c, err := slo.Parse(o.FindMax)
		if err != nil {
			return cli.Usagef("-find-max %q: %w", o.FindMax, err)
		}
		if pace.OwnRates(p.paceText) {
			return cli.Usagef("-find-max with -pace %s: accepted are constant and poisson", p.paceText)
		}
		percent, err := strconv.ParseFloat(strings.TrimSuffix(o.Precision, "%"), 64)
		if err != nil || !(percent >= 0.1 && percent <= 50) {
			return cli.Usagef("-find-precision %q: accepted are percentages from 0.1%% to 50%%", o.Precision)
		}
		p.search = &slo.SLO{Text: o.FindMax, Conditions: c, Precision: 1 + percent/100}
	}
	return nil
}
