package reconcile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balanceo/loadgen/distribution"
	"balanceo/loadgen/tally"
	"balanceo/topology/logs"
)

func TestAttempts(t *testing.T) {
	for _, c := range []struct {
		text string
		want []attempt
	}{
		{`{"upstream_group":"g","upstream_addr":"a:1","upstream_status":"200","upstream_header_time":"0.001"}`, []attempt{{"a:1", true}}},
		{`{"upstream_group":"g","upstream_addr":"a:1","upstream_status":"502","upstream_header_time":"0.001"}`, []attempt{{"a:1", true}}},
		{`{"upstream_group":"g","upstream_addr":"a:1, b:2","upstream_status":"502, 200","upstream_header_time":"-, 0.002"}`, []attempt{{"a:1", false}, {"b:2", true}}},
		{`{"upstream_group":"g","upstream_addr":"a:1 : b:2, c:3","upstream_status":"404 : 502, 200","upstream_header_time":"0.001 : -, 0.002"}`, []attempt{{"a:1", true}, {"b:2", false}, {"c:3", true}}},
		{`{"upstream_group":"g","upstream_addr":"g","upstream_status":"502","upstream_header_time":"-"}`, []attempt{}},
		{`{"upstream_group":"g","upstream_addr":"a:1, g","upstream_status":"502, 502","upstream_header_time":"-, -"}`, []attempt{{"a:1", false}}},
		{`{"upstream_group":"g","upstream_addr":"a:1","upstream_status":"-","upstream_header_time":"-"}`, []attempt{{"a:1", false}}},
		{`{"upstream_group":"a:1","upstream_addr":"a:1","upstream_status":"200","upstream_header_time":"0.001"}`, []attempt{{"a:1", true}}},
		{`{"upstream_group":"","upstream_addr":"","upstream_status":""}`, nil},
		{`{"upstream_group":"","upstream_addr":"-","upstream_status":"-"}`, nil},
		{`{"upstream_group":"g","upstream_addr":"a:1, b:2","upstream_status":"502, 200"}`, []attempt{{"a:1", false}, {"b:2", true}}},
	} {
		l, err := new(scanner).parse([]byte(c.text))
		if err != nil {
			t.Errorf("parse(%s): %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, l.attempts(), cmp.AllowUnexported(attempt{})); diff != "" {
			t.Errorf("attempts of %s (-want +got)\n%s", c.text, diff)
		}
	}
}

// The quick way must read what encoding/json reads.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"msec":1700000000.123,"status":200,"request_time":0.005,"user_agent":"loadgen/x","upstream_group":"g","upstream_addr":"a:1, b:2","upstream_status":"502, 200","upstream_header_time":"-, 0.001"}`))
	f.Add([]byte(`{"MSEC":1,"user_agent":"a\"b","x":[1,2]}`))
	f.Add([]byte(`{"msec":"1","user_agent":null}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var quick, slow line
		if !new(scanner).scan(text, &quick) || json.Unmarshal(text, &slow) != nil {
			return
		}
		if diff := cmp.Diff(slow, quick); diff != "" {
			t.Errorf("%q (-encoding/json +scan)\n%s", text, diff)
		}
	})
}

func TestScanIsQuick(t *testing.T) {
	// What nginx writes must not fall back, and must not be taken for damaged where a number is none of JSON.
	for _, text := range []string{
		`{"time":"2026-11-23T16:07:50+00:00","msec":1795450070.123,"status":200,"request_time":0.001,"user_agent":"loadgen/x"}`,
		`{"msec":1795450070.123,"status":000,"request_time":0.001,"user_agent":""}`,
	} {
		var l line
		if !new(scanner).scan([]byte(text), &l) || l.Msec != 1795450070.123 || l.RequestTime != 0.001 || l.UserAgent == nil {
			t.Errorf("scan(%s) = %+v, not read", text, l)
		}
	}
}

func FuzzCount(f *testing.F) {
	f.Add([]byte(`{"msec":1700000000.123,"request_time":0.005,"user_agent":"loadgen/x","upstream_group":"g","upstream_addr":"a:1, b:2","upstream_status":"502, 200","upstream_header_time":"-, 0.001"}`))
	f.Add([]byte(`{"msec":1e300,"request_time":-1e300,"user_agent":"x","upstream_addr":"a"}`))
	f.Add([]byte(`{"msec":"no","user_agent":7}`))
	f.Add([]byte("\x00\xff"))
	f.Fuzz(func(t *testing.T, line []byte) {
		c := newLogCount("loadgen/x", time.Time{})
		c.add(line)
		c.foreignByGroup()
		if n := c.run.lines + c.warmup.lines + c.foreign.lines + c.damaged + int64(len(c.lacking)); n > 3 {
			t.Errorf("one line was counted %d times: %q", n, line)
		}
	})
}

// lines are what l has grown by.
func linesOf(t *testing.T, l *logFile) string {
	t.Helper()
	var out []string
	if err := l.lines(t.Context(), func(line []byte) { out = append(out, string(line)) }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "|")
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func rotate(t *testing.T, path string) {
	t.Helper()
	if err := logs.Rotate(path, 5); err != nil {
		t.Fatal(err)
	}
}

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	appendTo(t, path, "before\n")
	l, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct {
		what string
		do   func()
		want string
	}{
		{"nothing new", func() {}, ""},
		{"two lines", func() { appendTo(t, path, "one\ntwo\n") }, "one|two"},
		{"half a line", func() { appendTo(t, path, "thr") }, ""},
		{"its other half", func() { appendTo(t, path, "ee\nfour\n") }, "three|four"},
		{"a line beyond the buffer", func() { appendTo(t, path, long+"\n") }, long},
		{"a line beyond the buffer, in two parts", func() { appendTo(t, path, long); linesOf(t, l); appendTo(t, path, "y\n") }, long + "y"},
		{"rotated, written to both", func() {
			appendTo(t, path, "five\n")
			rotate(t, path)
			appendTo(t, path+".1", "six\n")
			appendTo(t, path, "seven\n")
		}, "five|six|seven"},
		{"renamed, no new one yet", func() {
			rotate(t, path)
			appendTo(t, path+".1", "eight\n")
		}, "eight"},
		{"the new one", func() { appendTo(t, path, "nine\n") }, "nine"},
		{"rotated three times", func() {
			for _, text := range []string{"ten\n", "eleven\n", "twelve\n"} {
				rotate(t, path)
				appendTo(t, path, text)
			}
		}, "ten|eleven|twelve"},
	} {
		c.do()
		if got := linesOf(t, l); got != c.want {
			t.Errorf("%s: lines %.100q, want %.100q", c.what, got, c.want)
		}
		if l.cut {
			t.Errorf("%s: taken for cut off", c.what)
		}
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if got := linesOf(t, l); got != "" || !l.cut {
		t.Errorf("truncated: lines %q, cut off %v; want none and true", got, l.cut)
	}
}

// counted is a log with these lines of the run.
func counted(lines, unserved int64, answered map[string]int64) *logCount {
	c := newLogCount("loadgen/x", time.Time{})
	c.run.lines, c.run.unserved, c.run.answered = lines, unserved, answered
	for _, n := range answered {
		c.run.resolved += n
	}
	return c
}

// dropping is a log of which the balancer says that it left n lines out.
func dropping(n int64, c *logCount) *logCount {
	c.dropped = n
	return c
}

// bordering is a log with answers of a to others: one before the servers were asked, two meanwhile, and one after that.
func bordering(c *logCount) *logCount {
	for _, at := range [][2]int64{{900, 950}, {940, 1010}, {1030, 1100}, {1100, 1101}} {
		c.latest = append(c.latest, answer{"a", at[0], at[1]})
	}
	return c
}

func TestSettle(t *testing.T) {
	asked := span{time.UnixMilli(1000), time.UnixMilli(1050)}
	type counts = map[string]int64
	warm := counted(100, 0, counts{"a": 60, "b": 40})
	warm.warmup.lines, warm.warmup.answered = 10, counts{"a": 6, "b": 4}
	warm.foreign.lines, warm.foreign.answered = 3, counts{"a": 3}
	cut := counted(100, 5, counts{"a": 95})
	cut.run.cutOff = counts{"a": 5}
	for _, c := range []struct {
		name        string
		client      client
		log         *logCount
		servers     *servers
		nginx, srv  int64 // -1: null
		attributed  counts
		unexplained int64
		says        string
	}{
		{name: "nothing but the client", client: client{responses: 100}, nginx: -1, srv: -1},
		{name: "all agree", client: client{responses: 100}, log: counted(100, 0, counts{"a": 100}), servers: &servers{counted: counts{"a": 100}}, nginx: 100, srv: 100},
		{
			name: "warm-up and foreign", client: client{responses: 100}, log: warm, servers: &servers{counted: counts{"a": 69, "b": 44}},
			nginx: 100, srv: 100, attributed: counts{Warmup: 10, Others: 3},
		},
		{name: "no answer to the client", client: client{responses: 98, lost: 5}, log: counted(100, 0, counts{"a": 100}), nginx: 100, srv: -1, attributed: counts{NoAnswer: 2}},
		{name: "sent again", client: client{responses: 98, lost: 1, resent: 1}, log: counted(100, 0, counts{"a": 100}), nginx: 100, srv: -1, attributed: counts{NoAnswer: 1, Resent: 1}},
		{
			name: "too many lines", client: client{responses: 98, lost: 1}, log: counted(100, 0, counts{"a": 100}), nginx: 100, srv: -1,
			attributed: counts{NoAnswer: 1}, unexplained: 1, says: "nginx's access log has 1 request of this run more",
		},
		{name: "lines are missing", client: client{responses: 100}, log: counted(97, 0, counts{"a": 97}), nginx: 97, srv: -1, unexplained: 3, says: "3 answers that the client saw are not in nginx's access log"},
		{
			name: "nginx answers itself", client: client{responses: 100}, log: counted(100, 7, counts{"a": 93}), servers: &servers{counted: counts{"a": 93}},
			nginx: 100, srv: 93, attributed: counts{Unserved: 7},
		},
		{
			name: "answered twice", client: client{responses: 100}, log: counted(100, 0, counts{"a": 100, "b": 4}), servers: &servers{counted: counts{"a": 100, "b": 4}},
			nginx: 100, srv: 104, attributed: counts{Retried: 4},
		},
		{
			name: "cut off, completed by the server", client: client{responses: 95, lost: 5}, log: cut, servers: &servers{counted: counts{"a": 98}},
			nginx: 100, srv: 98, attributed: counts{NoAnswer: 5, Unserved: 5, InFlight: 3},
		},
		{
			name: "left out of the log", client: client{responses: 100}, log: dropping(2, counted(98, 0, counts{"a": 59, "b": 39})),
			servers: &servers{counted: counts{"a": 60, "b": 40}}, nginx: 98, srv: 100, attributed: counts{Unlogged: 2},
		},
		{
			name: "missing in the log, more than it left out", client: client{responses: 100}, log: dropping(1, counted(98, 0, counts{"a": 58, "b": 40})),
			servers: &servers{counted: counts{"a": 60, "b": 40}}, nginx: 98, srv: 100, attributed: counts{Unlogged: 1}, unexplained: 2,
			says: "1 answer that the client saw is not in nginx's access log. a counted 1 request that did not come through nginx",
		},
		{
			name: "a line of others left out", client: client{responses: 100}, log: dropping(1, counted(100, 0, counts{"a": 60, "b": 40})),
			servers: &servers{counted: counts{"a": 60, "b": 41}}, nginx: 100, srv: 101, attributed: counts{Unlogged: 1},
		},
		{
			name: "websockets that are open still", client: client{responses: 100}, log: counted(100, 0, counts{"a": 60, "b": 40}),
			servers: &servers{counted: counts{"a": 62, "b": 40}, upgrades: counts{"a": 2}}, nginx: 100, srv: 100, attributed: counts{Open: 2},
		},
		{
			name: "a websocket that is open still, and one request more", client: client{responses: 100}, log: counted(100, 0, counts{"a": 60, "b": 40}),
			servers: &servers{counted: counts{"a": 62, "b": 40}, upgrades: counts{"a": 1}}, nginx: 100, srv: 101, attributed: counts{Open: 1}, unexplained: 1,
			says: "a counted 1 request that did not come through nginx",
		},
		{
			name: "others while the servers are asked", client: client{responses: 100}, log: bordering(counted(100, 0, counts{"a": 60, "b": 40})),
			servers: &servers{asked: asked, counted: counts{"a": 63, "b": 40}}, nginx: 100, srv: 100,
		},
		{
			name: "others while the servers are asked, and too many", client: client{responses: 100}, log: bordering(counted(100, 0, counts{"a": 60, "b": 40})),
			servers: &servers{asked: asked, counted: counts{"a": 64, "b": 40}}, nginx: 100, srv: 101, unexplained: 1, says: "a counted 1 request",
		},
		{
			name: "others while the servers are asked, and too few", client: client{responses: 100}, log: bordering(counted(100, 0, counts{"a": 60, "b": 40})),
			servers: &servers{asked: asked, counted: counts{"a": 60, "b": 40}}, nginx: 100, srv: 99, unexplained: 1, says: "a did not count 1",
		},
		{
			name: "past nginx", client: client{responses: 100}, log: counted(100, 0, counts{"a": 100}), servers: &servers{counted: counts{"a": 108}},
			nginx: 100, srv: 108, unexplained: 8, says: "a counted 8 requests that did not come through nginx",
		},
		{
			name: "not counted", client: client{responses: 100}, log: counted(100, 0, counts{"a": 100}), servers: &servers{counted: counts{"a": 99}},
			nginx: 100, srv: 99, unexplained: 1, says: "a did not count 1",
		},
		{
			name: "a server is gone", client: client{responses: 100}, log: counted(100, 0, counts{"a": 60, "b": 40}), servers: &servers{counted: counts{"a": 60}, silent: []string{"b"}},
			nginx: 100, srv: 60, attributed: counts{Unasked: 40},
		},
		{name: "no log", client: client{responses: 100, warmup: 10}, servers: &servers{counted: counts{"a": 110}}, nginx: -1, srv: 100, attributed: counts{Warmup: 10}},
		{
			name: "no log, more", client: client{responses: 100, warmup: 10}, servers: &servers{counted: counts{"a": 113}},
			nginx: -1, srv: 103, attributed: counts{Warmup: 10}, unexplained: 3, says: "without nginx's access log",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := settle(c.client, c.log, c.servers, nil)
			value := func(n *int64) int64 {
				if n == nil {
					return -1
				}
				return *n
			}
			if got.Client != c.client.responses || value(got.Nginx) != c.nginx || value(got.Servers) != c.srv || got.Unexplained != c.unexplained {
				t.Errorf("settle = client %d, nginx %d, servers %d, %d unexplained; want %d, %d, %d, %d", got.Client, value(got.Nginx),
					value(got.Servers), got.Unexplained, c.client.responses, c.nginx, c.srv, c.unexplained)
			}
			if diff := cmp.Diff(c.attributed, got.Attributed); diff != "" {
				t.Errorf("settle attributes (-want +got)\n%s", diff)
			}
			if said := strings.Join(got.reasons, " "); !strings.Contains(said, c.says) || (said == "") != (c.unexplained == 0) {
				t.Errorf("settle says %q, want %q", said, c.says)
			}
		})
	}
}

func TestForeignByGroup(t *testing.T) {
	c := newLogCount("loadgen/x", time.UnixMilli(1_000_000))
	add := func(began, took int64, agent, group, addrs string) {
		text := `{"msec":` + millis(began+took) + `,"request_time":` + millis(took) + `,"user_agent":"` + agent +
			`","upstream_group":"` + group + `","upstream_addr":"` + addrs + `","upstream_status":"200","upstream_header_time":"0.001"}`
		c.add([]byte(text))
	}
	add(999_000, 10, "curl", "g", "a:1") // complete before the watch began
	add(1_000_500, 1, "loadgen/x-warmup", "g", "a:1")
	add(1_000_900, 1, "curl", "g", "a:1")                                                                                                                                       // during the warm-up
	add(1_001_000, 5, "loadgen/x", "g", "a:1")                                                                                                                                  // the measured part begins
	add(1_001_001, 1, "curl", "g", "a:1")                                                                                                                                       // at its border
	add(1_001_500, 1, "curl", "g", "a:1")                                                                                                                                       // inside
	add(1_001_600, 1, "curl", "g", "b:1, a:1")                                                                                                                                  // inside, retried
	add(1_001_700, 1, "curl", "h", "c:1")                                                                                                                                       // in a group without requests of the run
	add(1_001_800, 900, "curl", "g", "b:1")                                                                                                                                     // inside, ends after it
	add(1_002_000, 5, "loadgen/x", "g", "a:1")                                                                                                                                  // the measured part ends
	add(1_002_100, 1, "curl", "g", "a:1")                                                                                                                                       // after it
	c.add([]byte(`{"msec":1001.900,"request_time":5.000,"user_agent":"ws","upstream_group":"g","upstream_addr":"a:1","upstream_status":"101","upstream_header_time":"0.001"}`)) // opened before the watch began
	want := map[string]distribution.Foreign{"g": {ByAddr: map[string]int64{"a:1": 2, "b:1": 1}, Failed: 1, Border: 1}}
	if diff := cmp.Diff(want, c.foreignByGroup()); diff != "" {
		t.Errorf("foreignByGroup (-want +got)\n%s", diff)
	}
	if c.foreign.lines != 7 || c.run.lines != 2 || c.warmup.lines != 1 {
		t.Errorf("%d foreign, %d run, %d warm-up; want 7, 2, 1", c.foreign.lines, c.run.lines, c.warmup.lines)
	}
}

// TestManyForeignLines has a million requests of others, of which what is kept is bounded and nothing is forgotten.
func TestManyForeignLines(t *testing.T) {
	c := newLogCount("loadgen/x", time.UnixMilli(1_000_000))
	add := func(began int64, agent, group string) {
		c.add([]byte(`{"msec":` + millis(began+1) + `,"request_time":0.001,"user_agent":"` + agent + `","upstream_group":"` + group +
			`","upstream_addr":"a:1","upstream_status":"200","upstream_header_time":"0.001"}`))
	}
	const early, within = 200_000, 800_000
	for range early {
		add(1_000_500, "curl", "g")
	}
	for i := range int64(within) {
		if i%1000 == 0 {
			add(1_001_000+i/100, "loadgen/x", "g")
		}
		add(1_001_000+i/100, "curl", "g")
		add(1_001_000+i/100, "curl", "other")
		if len(c.others) > mostOthers {
			t.Fatalf("%d requests of others are kept", len(c.others))
		}
	}
	f := c.foreignByGroup()["g"]
	if n := f.ByAddr["a:1"] + f.Border; n < within-2000 || n > within+early || len(c.foreignByGroup()) != 1 {
		t.Errorf("%d of others within the run, %d perhaps; want %d, at most %d more", f.ByAddr["a:1"], f.Border, within, early)
	}
	if c.foreign.lines != early+2*within {
		t.Errorf("%d foreign lines, want %d", c.foreign.lines, early+2*within)
	}
}

// TestByID sets hit against hit: two errors of opposite signs don't cancel.
func TestByID(t *testing.T) {
	const agreeing = "0 1 2 3 4 5 6 7 8 9"
	for _, c := range []struct {
		name, answered, lost, again, logged string
		attributed                          map[string]int64
		dropped, unexplained                int64
		says                                string
	}{
		{name: "all agree", answered: agreeing, logged: agreeing},
		{name: "in another order", answered: "0 1 2", logged: "2 0 1"},
		{
			name: "one missing, one doubled", answered: "0 1 2 3", logged: "0 1 1 3", unexplained: 2,
			says: "1 answer that the client saw is not in nginx's access log: number 2. nginx's access log has 1 request twice that the client sent once: number 1.",
		},
		{
			name: "one missing, one unknown", answered: "0 1 3", logged: "0 1 2", unexplained: 2,
			says: "1 answer that the client saw is not in nginx's access log: number 3. nginx's access log has 1 request of this run that the client has not sent: number 2.",
		},
		{name: "far beyond", answered: "0 1", logged: "0 1 68719476735", unexplained: 1, says: "has not sent: of other numbers"},
		{name: "lost, and logged", answered: "0 2", lost: "1 3", logged: "0 1 2", attributed: map[string]int64{NoAnswer: 1}},
		{name: "sent again", answered: "0 1 2", again: "1", logged: "0 1 1 2", attributed: map[string]int64{Resent: 1}},
		{name: "sent again, doubled another", answered: "0 1 2", again: "1", logged: "0 1 2 2", unexplained: 1, says: "twice that the client sent once: number 2"},
		{name: "left out", answered: "0 1 2", logged: "0 2", dropped: 1, attributed: map[string]int64{Unlogged: 1}},
		{name: "left out, and another one", answered: "0 1 2 3", logged: "0 2", dropped: 1, attributed: map[string]int64{Unlogged: 1}, unexplained: 1, says: "1 answer that the client saw"},
		{name: "many", answered: agreeing, logged: "0", unexplained: 9, says: "number 1, 2, 3, 4, 5, …"},
	} {
		t.Run(c.name, func(t *testing.T) {
			counts := tally.New(tally.Config{})
			numbered := func(text string, h tally.Hit) (n int64) {
				for word := range strings.FieldsSeq(text) {
					h.Number, _ = strconv.ParseUint(word, 10, 64)
					h.Again = slices.Contains(strings.Fields(c.again), word)
					counts.Add(&h)
					n++
				}
				return n
			}
			known := client{responses: numbered(c.answered, tally.Hit{Status: 200}), lost: numbered(c.lost, tally.Hit{Err: tally.Timeout})}
			known.ids = counts.Counts().IDs
			log := newLogCount("loadgen/x", time.Time{})
			log.end, log.dropped = known.ids.End(), c.dropped
			for word := range strings.FieldsSeq(c.logged) {
				log.add([]byte(`{"msec":1700000000.123,"request_time":0.005,"user_agent":"loadgen/x","upstream_addr":"a:1","request_id":"x-` + word + `"}`))
			}
			got := settle(known, log, nil, nil)
			if said := strings.Join(got.reasons, " "); got.Unexplained != c.unexplained || !strings.Contains(said, c.says) || (said == "") != (c.says == "") {
				t.Errorf("%d unexplained, %q; want %d and %q", got.Unexplained, said, c.unexplained, c.says)
			}
			if diff := cmp.Diff(c.attributed, got.Attributed); diff != "" {
				t.Errorf("settle attributes (-want +got)\n%s", diff)
			}
		})
	}
}

// millis writes milliseconds as seconds.
func millis(ms int64) string { return fmt.Sprintf("%d.%03d", ms/1000, ms%1000) }

func BenchmarkLine(b *testing.B) {
	text := []byte(`{"time":"2026-11-23T16:07:50+00:00","msec":1795450070.123,"remote_addr":"127.0.0.1","method":"GET","uri":"/api/randoms?cant=1000","status":200,"bytes":12345,"request_time":0.001,"upstream_group":"node_app_api","upstream_addr":"127.0.0.1:8082","upstream_status":"200","upstream_connect_time":"0.000","upstream_header_time":"0.001","upstream_response_time":"0.001","user_agent":"loadgen/20261123-160750-da3b2a"}`)
	c := newLogCount("loadgen/20261123-160750-da3b2a", time.Time{})
	b.ReportAllocs()
	for b.Loop() {
		c.add(text)
	}
}
