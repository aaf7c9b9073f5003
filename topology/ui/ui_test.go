package ui

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/fleet"
	"balanceo/topology/layout"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

// keeper is a layout of one's own making.
type keeper struct {
	mu     sync.Mutex
	did    []fleet.Action
	events chan fleet.Event
}

func (k *keeper) Status(context.Context, bool) (*status.Snapshot, error) {
	n := 0.0
	return &status.Snapshot{Layout: "seed", At: time.Now(), Parts: []status.Part{
		{Name: "one", Kind: fleet.Instance, Port: 8001, State: supervise.Ready, PID: 7, Workers: []int{}, Requests: &n},
	}}, nil
}

func (k *keeper) Do(_ context.Context, a fleet.Action, line func(string)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.Contains(a.Names, "nobody") {
		return errors.New(`"nobody" is no part of this layout`)
	}
	k.did = append(k.did, a)
	line("done so")
	return nil
}

func (k *keeper) Events(ctx context.Context, _ int, visit func(fleet.Event)) error {
	for {
		select {
		case e, ok := <-k.events:
			if !ok {
				return nil
			}
			visit(e)
		case <-ctx.Done():
			return nil
		}
	}
}

// serve shows a layout of one group on a page, and returns its address, the log that it reads, and what waits for its end.
func serve(t *testing.T, k *keeper) (url string, log *os.File, wait func() error) {
	t.Helper()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	conf := &balancer.Config{Balancer: "nginx", File: "nginx.conf", Workers: 1, AccessLog: log.Name(), Groups: []balancer.Group{{
		Name: "g", Method: balancer.RoundRobin, Zone: true, Promise: &balancer.Promise{Kind: balancer.Exact, Within: 1},
		Servers: []balancer.Server{{Addr: "127.0.0.1:8001", Weight: 1}, {Addr: "127.0.0.1:8002", Weight: 1}},
	}}}
	shares := filepath.Join(dir, "shares.json")
	if err := conf.Save(shares); err != nil {
		t.Fatal(err)
	}
	p, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	state := layout.State{Dir: dir, Layout: "seed", HTTPPort: 80, Balancer: "nginx", Shares: shares, Instances: []layout.Instance{{Name: "one", Port: 8001}, {Name: "two", Port: 8002}}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, Config{Keeper: k, State: state}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		_ = log.Close()
	})
	return p.URL(), log, func() error {
		err := <-ended
		ended <- err
		return err
	}
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestActions(t *testing.T) {
	k := &keeper{events: make(chan fleet.Event)}
	url, _, _ := serve(t, k)
	for body, want := range map[string]struct {
		status int
		text   string
	}{
		`{"verb":"kill","names":["one"],"for":"10s","by":"somebody else"}`: {200, `"command": "topology kill one --for 10s"`},
		`{"verb":"slow","names":["nobody"],"delay":"1s"}`:                  {409, "no part of this layout"},
		`{"verb":"down"}`:                {400, "does not take the whole layout down"},
		`{"verb":"kill","pid":1}`:        {400, "unknown field"},
		`{"verb":"slow","delay":"fast"}`: {400, "a time is accepted"},
		`kill`:                           {400, "invalid character"},
	} {
		if code, text := post(t, url+"api/actions", body); code != want.status || !strings.Contains(text, want.text) {
			t.Errorf("%s: got %d %s, want %d with %q", body, code, text, want.status, want.text)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.did) != 1 || k.did[0].By != "page" || k.did[0].Verb != fleet.Kill {
		t.Errorf("done: got %+v, want one kill, by the page", k.did)
	}
	for body, want := range map[string]string{`{"rate":10}`: "loadgen is not", `{"rate":"x"}`: "cannot unmarshal"} {
		if code, text := post(t, url+"api/load", body); code != 400 || !strings.Contains(text, want) {
			t.Errorf("load %s: got %d %s, want %q", body, code, text, want)
		}
	}
}

// A page is told everything first, then what is logged, judged and done, and goes when the layout is down.
func TestFeed(t *testing.T) {
	k := &keeper{events: make(chan fleet.Event)}
	url, log, wait := serve(t, k)
	next := updatesOf(t, url)
	if first := next(); first.Hello == nil || first.Hello.Layout != "seed" || len(first.Groups) != 1 || first.Groups[0].Instances[1] != "two" {
		t.Fatalf("first: got %+v", first)
	}
	k.events <- fleet.Event{Number: 1, At: time.Now(), Kind: fleet.EventAction, By: "command line", Text: "kill one"}
	seen := map[string]bool{}
	for i := 0; len(seen) < 6; i++ {
		now := float64(time.Now().UnixMilli()) / 1e3
		for _, addr := range []string{"127.0.0.1:8001", "127.0.0.1:8002"} {
			fmt.Fprintln(log, logged(fmt.Sprintf("%.3f", now), "g", addr, "200", "0.001", "0.002", 200, "loadgen/a-run"))
		}
		u := next()
		seen["a load from a terminal"] = seen["a load from a terminal"] || u.Load != nil && slices.Equal(u.Load.Elsewhere, []string{"a-run"})
		for _, s := range u.Samples {
			seen["samples"] = seen["samples"] || s.Group == "g" && len(s.Via) == 1
		}
		for _, m := range u.Marks {
			seen["mark"] = seen["mark"] || m.By == "command line"
		}
		for _, r := range u.Rows {
			seen["rows"] = seen["rows"] || r.Groups["g"].Requests > 0
		}
		for _, v := range u.Verdicts {
			seen["verdict"] = seen["verdict"] || v.State == "pass"
			if v.State == "fail" {
				t.Fatalf("verdict: got %+v", v)
			}
		}
		seen["live"] = seen["live"] || u.Live["127.0.0.1:8001"].Share == 0.5
		for name, ok := range seen {
			if !ok {
				delete(seen, name)
			}
		}
	}
	close(k.events) // the layout is down
	if err := wait(); err != nil {
		t.Error(err)
	}
}

// The log is moved away while the page follows it, and one of nginx's processes opens the new one later than the other:
// every request is counted, once.
func TestRotatedLog(t *testing.T) {
	k := &keeper{events: make(chan fleet.Event)}
	url, log, _ := serve(t, k)
	next := updatesOf(t, url)
	sent := map[int64]int{} // by second
	first, last := int64(0), int64(0)
	old := log
	for seconds := 0; seconds < 7; {
		for _, r := range next().Rows {
			if first == 0 && r.Groups["g"].Requests == 0 {
				continue // where following begins is not known from outside
			}
			if last = r.At; first == 0 {
				first = r.At
			}
			switch seconds++; seconds {
			case 2:
				if err := os.Rename(log.Name(), log.Name()+".1"); err != nil {
					t.Fatal(err)
				}
				created, err := os.Create(log.Name())
				if err != nil {
					t.Fatal(err)
				}
				defer created.Close()
				log = created
			case 3:
				old = log
			}
		}
		for i, f := range []*os.File{log, old, log, old} {
			now := time.Now().UnixMilli()
			addr := []string{"127.0.0.1:8001", "127.0.0.1:8002"}[i%2]
			fmt.Fprintln(f, logged(fmt.Sprintf("%d.%03d", now/1000, now%1000), "g", addr, "200", "0.001", "0.002", 200, "curl"))
			sent[now/1000]++
		}
	}
	compared := 0
	for _, r := range updatesOf(t, url)().Rows { // a page that is opened now is told all that was
		if r.At <= first || r.At >= last {
			continue
		}
		compared++
		if got := r.Groups["g"].Requests; got != sent[r.At] {
			t.Errorf("second %d: got %d requests, want %d", r.At-first, got, sent[r.At])
		}
	}
	if compared < 5 {
		t.Errorf("only %d seconds were compared", compared)
	}
}

// updatesOf opens the page at url, and returns what gives the updates that it is told.
func updatesOf(t *testing.T, url string) (next func() update) {
	t.Helper()
	resp, err := http.Get(url + "api/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func() (u update) {
		t.Helper()
		for lines.Scan() {
			if text, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
				if err := json.Unmarshal(text, &u); err != nil {
					t.Fatal(err)
				}
				return u
			}
		}
		t.Fatalf("the page is told no more: %v", lines.Err())
		return u
	}
}

func TestListen(t *testing.T) {
	for addr, want := range map[string]string{"": "no address", "somewhere": "no address", "127.0.0.1:http": "no address", "127.0.0.1:70000": "no address"} {
		if _, err := Listen(addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Listen(%q): got %v, want %q", addr, err, want)
		}
	}
	p, err := Listen("0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !strings.HasPrefix(p.URL(), "http://127.0.0.1:") {
		t.Errorf("a port alone is at %s, want this machine alone", p.URL())
	}
	_, port, _ := strings.Cut(strings.TrimSuffix(p.URL(), "/"), "127.0.0.1:")
	if _, err := Listen("127.0.0.1:" + port); err == nil || !strings.Contains(err.Error(), port) {
		t.Errorf("a taken port: got %v", err)
	}
}

func TestLoadCheck(t *testing.T) {
	for _, l := range []Load{{}, {Rate: -1}, {Rate: 1 << 20}, {Rate: 1, Scenario: "x"}, {Rate: 1, Minutes: 61}, {Rate: 1, Pace: "-out"}} {
		if err := l.check(); err == nil {
			t.Errorf("%+v is accepted", l)
		}
	}
	l := Load{Rate: 5, Pace: "ramp:1:9"}
	if err := l.check(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(l.args(80), " "); got != "-target :80 -rate 5 -scenario mix -duration 10m -pace ramp:1:9" {
		t.Errorf("args: got %s", got)
	}
}

// Every lesson says everything in both languages, and checks and sentences are such that the page can read them.
func TestLessons(t *testing.T) {
	all := Lessons()
	if len(all) < 5 {
		t.Fatalf("got %d lessons, want 5", len(all))
	}
	check := regexp.MustCompile(`^(state \w+ = \w+|((whole|total) )?(share|n|rate|retried|errors|p50|p99|busy|idle|restarts|failed) \w+ [<>] [\d.]+)$`)
	gap := regexp.MustCompile(`\{(\w+)\.([^}]+)\}`)
	for i, l := range all {
		names := map[string]bool{}
		texts := []words{l.Title, l.Why, l.Found}
		for _, s := range l.Steps {
			names[s.Name] = true
			texts = append(texts, s.Press, s.Watch)
			if s.Seconds < 1 || len(s.Check) == 0 {
				t.Errorf("lesson %d, step %s checks nothing", i+1, s.Name)
			}
			for _, c := range s.Check {
				if !check.MatchString(c) {
					t.Errorf("lesson %d, step %s: check %q", i+1, s.Name, c)
				}
			}
		}
		for _, w := range texts {
			if w.EN == "" || w.ES == "" || w.EN == w.ES {
				t.Errorf("lesson %d: %+v is not in both languages", i+1, w)
			}
		}
		for _, text := range []string{l.Found.EN, l.Found.ES} {
			gaps := gap.FindAllStringSubmatch(text, -1)
			for _, g := range gaps {
				if !names[g[1]] {
					t.Errorf("lesson %d: %s refers to no step", i+1, g[0])
				}
			}
			if len(gaps) == 0 {
				t.Errorf("lesson %d ends with nothing that was measured", i+1)
			}
		}
		if gap.ReplaceAllString(l.Found.EN, "") == "" {
			t.Errorf("lesson %d ends with no sentence", i+1)
		}
	}
}

// The counts of one server agree as long as the log and the server say the same, whenever they are read.
func TestComparison(t *testing.T) {
	var c comparison
	start := int64(1_795_813_893_000)
	at, count := start, 41.0 // it had counted 41 before
	run := func(n, missing int) {
		for i := range n {
			at += 20
			if i >= missing {
				c.add(at)
			}
			count++
			if i%50 == 49 {
				c.look(count, at-30, at+10)
			}
		}
	}
	run(2000, 0)
	if lo, hi, ok := c.difference(); !ok || lo > 0 || hi < 0 || hi-lo > 4 {
		t.Errorf("nothing is missing: got %d to %d, %v", lo, hi, ok)
	}
	run(2000, 40)
	if lo, hi, _ := c.difference(); lo < 35 || hi > 45 || c.most() < 35 {
		t.Errorf("the log lacks 40: got %d to %d", lo, hi)
	}
	count = 0 // another server counts from now on
	run(700, 0)
	if lo, hi, _ := c.difference(); lo > 0 || hi < 0 {
		t.Errorf("after a new beginning: got %d to %d", lo, hi)
	}
}
