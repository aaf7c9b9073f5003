package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"balanceo/results/console"
	"balanceo/results/judge"
	"balanceo/results/run"
	"balanceo/topology/cli"
)

type judgeCommand struct {
	Expect    string `long:"expect" value-name:"NAME=WEIGHT,…" description:"what is promised, for example 'a=70,b=30'; weights count in relation to each other"`
	Method    string `long:"method" value-name:"METHOD" default:"random" description:"how a server is chosen: random, roundrobin (a fixed cycle), or hash, leastconn, none, which promise no shares"`
	Unit      string `long:"unit" value-name:"UNIT" default:"request" choice:"request" choice:"connection" description:"what was counted: request, or connection where a server is chosen once for each"`
	False     string `long:"false" value-name:"RATE" default:"0.001" description:"how often counts that are as promised may be judged not to be chance, for example 1e-6"`
	Precision string `long:"precision" value-name:"P%" default:"10%" description:"how far from its promise a share may lie to be as promised, as a part of it"`
	Cycles    int    `long:"cycles" value-name:"N" default:"1" description:"with roundrobin: cycles that ran beside or after each other: processes, reloads"`
	By        string `long:"by" value-name:"COLUMN" description:"standard input is an access log: the number of the column that names the server, from 1, or the key where lines are JSON"`
	JSON      bool   `long:"json" description:"print one JSON document"`
	Format    string `long:"format" value-name:"FORMAT" default:"text" choice:"text" choice:"junit" choice:"tap" description:"text, or junit or tap for a test's report"`
	Args      struct {
		Counts []string `positional-arg-name:"NAME=COUNT" description:"what was counted; none: names are read from standard input, one a line"`
	} `positional-args:"yes"`

	stdin io.Reader
	c     *command
}

// Execute is called by go-flags.
func (jc *judgeCommand) Execute([]string) error {
	opt, err := jc.options()
	if err != nil {
		return err
	}
	shares, err := jc.promised()
	if err != nil {
		return err
	}
	if err := jc.count(shares); err != nil {
		return err
	}
	result, err := judge.Judge(shares, opt)
	if err != nil {
		return cli.Usagef("judge: %w", err)
	}
	if err := jc.print(result); err != nil {
		return err
	}
	if result.Verdict == judge.Fail {
		return &cli.VerdictError{Reason: "judge: the shares are not what is promised"}
	}
	return nil
}

func (jc *judgeCommand) print(r *judge.Result) error {
	switch {
	case jc.JSON:
		return run.WriteJSON(jc.c.stdout, r)
	case jc.Format == "junit":
		return r.JUnit(jc.c.stdout)
	case jc.Format == "tap":
		return r.TAP(jc.c.stdout)
	}
	lines := append([]string{strings.ToUpper(string(r.Verdict)) + ": " + r.Sentence, ""}, r.Details()...)
	width := console.Width(jc.c.stdout, math.MaxInt)
	for i, line := range lines {
		if console.Columns(line) > width {
			lines[i] = strings.Join(console.Wrap(line, width), "\n")
		}
	}
	_, err := fmt.Fprintln(jc.c.stdout, strings.Join(lines, "\n"))
	return err
}

func (jc *judgeCommand) options() (judge.Options, error) {
	opt := judge.Options{Cycles: jc.Cycles, Unit: jc.Unit}
	switch method := strings.NewReplacer("_", "", "-", "").Replace(jc.Method); method {
	case "random", "roundrobin":
		opt.Method = judge.Method(method)
	case "hash", "leastconn", "none":
		opt.Method = judge.None
	default:
		return opt, cli.Usagef("-method %q: accepted are random, roundrobin, hash, leastconn, none", jc.Method)
	}
	var ok bool
	if opt.False, ok = ratio(jc.False); !ok || opt.False < 1e-12 || opt.False > 0.5 {
		return opt, cli.Usagef("-false %q: accepted are rates from 1e-12 to 0.5, for example 0.001 or 0.1%%", jc.False)
	}
	if opt.Precision, ok = ratio(jc.Precision); !ok || opt.Precision < 1e-6 || opt.Precision > 1 {
		return opt, cli.Usagef("-precision %q: accepted are parts of a share up to 1, for example 10%% or 0.1", jc.Precision)
	}
	if jc.Cycles < 1 {
		return opt, cli.Usagef("-cycles %d: accepted are numbers from 1 on", jc.Cycles)
	}
	return opt, nil
}

// ratio reads a number, or a percentage.
func ratio(text string) (float64, bool) {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	return v, err == nil && v > 0 && !math.IsInf(v, 0)
}

// promised reads -expect.
func (jc *judgeCommand) promised() ([]judge.Share, error) {
	if jc.Expect == "" {
		return nil, cli.Usagef("-expect: name what is promised, for example -expect 'a=70,b=30'")
	}
	var shares []judge.Share
	for item := range strings.SplitSeq(jc.Expect, ",") {
		name, text, err := cut(item)
		weight, bad := strconv.ParseFloat(text, 64)
		if err != nil || bad != nil || !(weight > 0) || math.IsInf(weight, 0) {
			return nil, cli.Usagef("-expect %q: %q is no NAME=WEIGHT; accepted are weights above 0, for example 'a=70,b=30'", jc.Expect, item)
		}
		shares = append(shares, judge.Share{Name: name, Weight: weight})
	}
	return shares, nil
}

// cut parts a name from its number at the last "=".
func cut(item string) (name, number string, err error) {
	at := strings.LastIndex(item, "=")
	if at < 1 || strings.TrimSpace(item[:at]) == "" {
		return "", "", errors.New("no name")
	}
	return strings.TrimSpace(item[:at]), strings.TrimSpace(item[at+1:]), nil
}

// count fills in the counts, from the arguments or from standard input.
func (jc *judgeCommand) count(shares []judge.Share) error {
	index, names := map[string]int{}, make([]string, len(shares))
	for i, s := range shares {
		index[s.Name], names[i] = i, s.Name
	}
	unknown := func(where, name string) error {
		return cli.Usagef("%s: %q is not in -expect; accepted are %s", where, name, strings.Join(names, ", "))
	}
	if len(jc.Args.Counts) == 0 {
		return jc.read(func(line int, name string) error {
			i, known := index[name]
			if !known {
				return unknown(fmt.Sprintf("standard input, line %d", line), name)
			}
			shares[i].Count++
			return nil
		})
	}
	if jc.By != "" {
		return cli.Usagef("-by %q: accepted with an access log on standard input, and not with counts", jc.By)
	}
	given := map[string]bool{}
	for _, arg := range jc.Args.Counts {
		name, text, err := cut(arg)
		count, bad := strconv.ParseInt(text, 10, 64)
		i, known := index[name]
		switch {
		case err != nil || bad != nil || count < 0:
			return cli.Usagef("%q: accepted are NAME=COUNT with whole counts from 0 on, for example a=312", arg)
		case !known:
			return unknown(fmt.Sprintf("%q", arg), name)
		case given[name]:
			return cli.Usagef("%q: %q has a count already", arg, name)
		}
		given[name] = true
		shares[i].Count = count
	}
	for _, name := range names {
		if !given[name] {
			return cli.Usagef("-expect %q: %q has no count; if it got none, say %s=0", jc.Expect, name, name)
		}
	}
	return nil
}

// longestLine of a log that is read.
const longestLine = 1 << 20

// read tells each name on standard input. Empty lines are passed over.
func (jc *judgeCommand) read(each func(line int, name string) error) error {
	if f, ok := jc.stdin.(*os.File); ok && cli.IsTerminal(f) {
		return cli.Usagef("judge: name counts, for example a=312 b=188, or pipe in names or a log")
	}
	lines := bufio.NewScanner(jc.stdin)
	lines.Buffer(nil, longestLine)
	n := 0
	for lines.Scan() {
		n++
		name := strings.TrimSpace(lines.Text())
		if name == "" {
			continue
		}
		if jc.By != "" {
			var ok bool
			if name, ok = column(name, jc.By); !ok {
				return cli.Usagef("standard input, line %d: no column %q", n, jc.By)
			}
		}
		if err := each(n, name); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	return nil
}

// column is the server that a line of an access log names: of several that were tried the last.
func column(line, by string) (string, bool) {
	var value string
	if strings.HasPrefix(line, "{") {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) != nil || fields[by] == nil {
			return "", false
		}
		value = fmt.Sprint(fields[by])
	} else {
		fields := regexp.MustCompile(`"[^"]*"|\[[^\]]*\]|\S+`).FindAllString(line, -1)
		i, err := strconv.Atoi(by)
		if err != nil || i < 1 || i > len(fields) {
			return "", false
		}
		value = strings.Trim(fields[i-1], `"[]`)
	}
	tried := regexp.MustCompile(`, | : `).Split(value, -1)
	return strings.TrimSpace(tried[len(tried)-1]), true
}
