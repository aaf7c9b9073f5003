package main

import (
	"fmt"

	"github.com/jessevdk/go-flags"

	"balanceo/topology/cli"
)

// options are the flags as they were typed. What needs more than a word to be right is kept as text, so that
// a mistake can be answered with what is accepted.
type options struct {
	Load    loadOptions    `group:"Load"`
	Request requestOptions `group:"Requests and answers"`
	Client  clientOptions  `group:"Connections"`
	Judge   judgeOptions   `group:"What it is held to"`
	Output  outputOptions  `group:"Output"`
}

type loadOptions struct {
	Rate     string `short:"r" long:"rate" default:"200" value-name:"N" description:"requests per second over all routes; 0: as fast as it goes, with latency counted from sending"`
	Target   string `short:"t" long:"target" default:":80" env:"BALANCEO_TARGET" value-name:"ADDR" description:":PORT, HOST:PORT, or an http or https URL"`
	Duration string `short:"d" long:"duration" default:"15s" value-name:"TIME" description:"length of the measured part"`
	Warmup   string `short:"u" long:"warmup" default:"2s" value-name:"TIME" description:"sent before and not counted"`
	Requests uint64 `short:"n" long:"requests" value-name:"N" description:"end the measured part after N requests"`
	Scenario string `short:"s" long:"scenario" default:"mix" value-name:"NAME" description:"mix, site, randoms, session, ws, url (the target's URL itself), or a YAML file of requests"`
	Targets  string `long:"targets" value-name:"FILE" description:"requests in vegeta's http or json format, in turn; -: standard input"`
	Cant     int    `short:"c" long:"cant" default:"1000" value-name:"N" description:"numbers that a request to /api/randoms asks for"`
	Workers  *int   `short:"w" long:"workers" value-name:"N" description:"most requests under way at once (default: by the rate, 64 to 512)"`
	Pace     string `short:"p" long:"pace" default:"constant" value-name:"PACE" description:"constant, poisson (both at -rate), ramp:FROM:TO, step:R1:R2:…, sine:MEAN:AMPLITUDE[:PERIOD]"`
	Seed     uint64 `long:"seed" default:"1" value-name:"N" description:"of the arrivals of -pace poisson"`
	Users    int    `long:"users" default:"50" value-name:"N" description:"scenario session: users"`
	Clients  int    `long:"clients" default:"200" value-name:"N" description:"scenario ws: websocket clients"`
	Part     string `long:"part" value-name:"K/N" description:"send every N-th request of the schedule, from the K-th on; a K of - is $JOB_COMPLETION_INDEX plus 1"`
	StartAt  string `long:"start-at" value-name:"TIME" description:"when to begin, for example 2006-01-02T15:04:05Z or seconds since 1970; the http address of a ledger: when all parts have come there"`
}

type requestOptions struct {
	Header       []string `short:"H" long:"header" value-name:"'NAME: VALUE'" description:"sent with each request; may be repeated"`
	Method       string   `short:"m" long:"http-method" value-name:"METHOD" description:"of each request"`
	Body         string   `long:"body" value-name:"TEXT" description:"of each request; @FILE: from a file"`
	ExpectStatus []int    `long:"expect-status" value-name:"CODE" description:"statuses that are no failure (default: all below 400); may be repeated"`
	ExpectBody   string   `long:"expect-body" value-name:"TEXT" description:"text that each answer has to contain, in its first MiB"`
}

type clientOptions struct {
	Engine      string   `long:"engine" choice:"fast" choice:"vegeta" description:"what sends: fast, ours, for plain HTTP/1.1; vegeta, its client, for all else (default: fast where it can)"`
	Connections *int     `long:"connections" value-name:"N" description:"open N connections and use them in turn (default: as few as are needed)"`
	NoKeepAlive bool     `long:"no-keepalive" description:"a connection for each request"`
	HTTP2       bool     `long:"http2" description:"HTTP/2, where TLS agrees on it"`
	Timeout     string   `long:"timeout" default:"30s" value-name:"TIME" description:"of one request"`
	Insecure    bool     `short:"k" long:"insecure" description:"accept any certificate"`
	CACert      string   `long:"cacert" value-name:"FILE" description:"authorities to trust, PEM"`
	Cert        string   `long:"cert" value-name:"FILE" description:"our certificate, PEM"`
	Key         string   `long:"key" value-name:"FILE" description:"its key, PEM"`
	Resolve     []string `long:"resolve" value-name:"HOST:PORT:ADDR" description:"connect to ADDR for HOST:PORT; may be repeated"`
	UnixSocket  string   `long:"unix-socket" value-name:"PATH" description:"connect to this socket"`
	Redirects   int      `long:"redirects" value-name:"N" description:"follow up to N redirects"`
	Proxy       string   `long:"proxy" value-name:"URL" description:"send through this proxy"`
}

type judgeOptions struct {
	FindMax   string   `long:"find-max" value-name:"SLO" description:"find the highest rate that holds, for example 'p99<20ms,errors<0.1%'"`
	Precision string   `long:"find-precision" default:"2%" value-name:"P%" description:"how near to the highest rate -find-max comes; from 5% on it tries each rate once, for searches that are repeated as a whole"`
	Assert    []string `short:"a" long:"assert" value-name:"EXPR" description:"exit 3 unless it holds, for example p99<50ms, errors<0.1%, deviation<1; may be repeated"`
	Until     string   `long:"until" choice:"decided" description:"decided: end as soon as it is certain whether the shares are as promised (at most after -duration, 10m unless given)"`
	NginxConf string   `long:"nginx-conf" value-name:"FILE" description:"where the expected shares stand; -: standard input, for example of nginx -T (default: the running layout's, else ./nginx.conf)"`
	By        string   `long:"by" value-name:"HOW" description:"how an answer tells who gave it: header:NAME, cookie:NAME or json:PATH (default: X-Upstream and X-Upstream-Group)"`
	Expect    string   `long:"expect" value-name:"SHARES" description:"expected shares, as 'a=2,b=1', of a balancer whose configuration is not to be had"`
	Method    string   `long:"method" value-name:"METHOD" default:"random" description:"with -expect, how it chooses: random, roundrobin, hash, leastconn, none"`
}

type outputOptions struct {
	Label   string `short:"l" long:"label" value-name:"TEXT" description:"noted in the record"`
	Out     string `short:"o" long:"out" default:"results/runs" value-name:"DIR" description:"where the record is written"`
	Raw     string `long:"raw" value-name:"FILE" description:"write each measured hit, for vegeta report, plot and encode"`
	Prom    string `long:"prom" value-name:"ADDR" description:"serve live metrics for Prometheus at http://ADDR/metrics"`
	JSON    bool   `short:"j" long:"json" description:"print the record instead of the report"`
	Quiet   bool   `short:"q" long:"quiet" description:"no live view"`
	Version bool   `long:"version" description:"print the version"`
}

// parseOptions reads the flags; set tells which of them were given, by their long names.
func parseOptions(args []string) (o *options, set map[string]bool, err error) {
	o = &options{}
	parser := flags.NewNamedParser("loadgen", flags.HelpFlag)
	parser.ShortDescription = "load an nginx and explain what it saw"
	if _, err := parser.AddGroup("Options", "", o); err != nil {
		return nil, nil, fmt.Errorf("flags: %w", err)
	}
	rest, err := cli.Parse(parser, args)
	switch {
	case err != nil:
		return nil, nil, err
	case len(rest) > 0:
		return nil, nil, cli.Usagef("argument %q: only flags are accepted; see loadgen --help", rest[0])
	}
	set = map[string]bool{}
	for _, name := range []string{"duration", "scenario", "rate"} {
		flag := parser.FindOptionByLongName(name)
		set[name] = flag.IsSet() && !flag.IsSetDefault()
	}
	return o, set, nil
}
