package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestRandoms(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"inproc", "process"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, "--randoms", how)
			cmd.Env = append(cmd.Env, "CANT_DEFAULT=300", "CANT_MAX=20000")
			p := startOn(t, listen(t), cmd)
			for _, tt := range []struct {
				query string
				want  int
			}{
				{"?cant=20000", 20000}, {"?cant=abc", 300}, {"?cant=0", 300}, {"", 300}, {"?cant=-50", 50}, {"?cant=12abc", 12},
			} {
				res, body := p.get("/api/randoms" + tt.query)
				if sum := sumOf(t, body); res.StatusCode != http.StatusOK || sum != tt.want {
					t.Errorf("/api/randoms%s = %s with %d numbers, want 200 with %d", tt.query, res.Status, sum, tt.want)
				}
			}
			if res, body := p.get("/api/randoms?cant=20001"); res.StatusCode != http.StatusBadRequest || !json.Valid([]byte(body)) {
				t.Errorf("/api/randoms above CANT_MAX = %s %s, want 400 and JSON", res.Status, body)
			}
			if got := metrics(t, p).total("balanceo_draws_total", "", ""); got != 20962 {
				t.Errorf("balanceo_draws_total = %v, want 20962", got)
			}
		})
	}
}

// sumOf adds up an answer of /api/randoms and checks its form: ascending numbers from 1 to 1000.
func sumOf(t *testing.T, body string) (sum int) {
	t.Helper()
	var counts map[string]int
	if err := json.Unmarshal([]byte(body), &counts); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	last := 0
	for _, line := range strings.Split(strings.Trim(body, "{}\n"), ",\n") {
		key, _, _ := strings.Cut(strings.TrimPrefix(line, `  "`), `"`)
		number, err := strconv.Atoi(key)
		if err != nil || number <= last || number > 1000 || counts[key] < 1 {
			t.Fatalf("line %q after number %d", line, last)
		}
		last = number
		sum += counts[key]
	}
	return sum
}

func TestAtMostOneChildPerCoreDraws(t *testing.T) {
	t.Parallel()
	cmd := command(t, "--randoms", "process")
	cmd.Env = append(cmd.Env, "GOMAXPROCS=2")
	p := startOn(t, listen(t), cmd)
	var asking sync.WaitGroup
	for range 6 {
		asking.Go(func() {
			res, body, err := ask(http.DefaultClient, http.MethodGet, "http://"+p.addr+"/api/randoms?cant=3000000")
			if err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("/api/randoms: %v, %v: %s", res, err, body)
			}
		})
	}
	done := make(chan struct{})
	go func() { asking.Wait(); close(done) }()
	most, seen := 0, []int{}
	for {
		children := p.workers()
		most = max(most, len(children))
		for _, pid := range children {
			if !slices.Contains(seen, pid) {
				seen = append(seen, pid)
			}
		}
		select {
		case <-done:
			if most < 1 || most > 2 || len(seen) < 2 {
				t.Errorf("%d children at once, %d in all; want at most 2 at once, some in all", most, len(seen))
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func TestDrawingChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	cmd := command(t, "--randoms", "process")
	cmd.Env = append(cmd.Env, "CANT_MAX=1000000000000")
	p := startOn(t, listen(t), cmd)
	go func() {
		_, _, _ = ask(http.DefaultClient, http.MethodGet, "http://"+p.addr+"/api/randoms?cant=1000000000000")
	}()
	var children []int
	eventually(t, "a child draws", func() bool { children = p.workers(); return len(children) == 1 })
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the child", func() bool { return !alive(children[0]) })
}

// TestInfoAnswersWhileNumbersAreDrawn prints how long /info takes while each core draws and as many draws wait.
func TestInfoAnswersWhileNumbersAreDrawn(t *testing.T) {
	for _, threads := range []int{1, 2} {
		t.Run(fmt.Sprintf("GOMAXPROCS=%d", threads), func(t *testing.T) {
			cmd := command(t)
			cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(threads), "CANT_MAX=1000000000")
			p := startOn(t, listen(t), cmd)
			url := "http://" + p.addr
			var drawing sync.WaitGroup
			for range 2 * threads {
				drawing.Go(func() {
					for { // until the server is killed
						if _, _, err := ask(http.DefaultClient, http.MethodGet, url+"/api/randoms?cant=1000000000"); err != nil {
							return
						}
					}
				})
			}
			defer drawing.Wait()
			defer p.signal(syscall.SIGKILL)
			eventually(t, "the draws go on", func() bool { return cpuTime(t, p.cmd.Process.Pid) > 50*time.Millisecond })
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			var took []time.Duration
			for range 200 {
				begin := time.Now()
				if res, _, err := ask(client, http.MethodGet, url+"/info"); err != nil || res.StatusCode != http.StatusOK {
					t.Fatalf("/info: %v, %v", res, err)
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			t.Logf("/info during draws: p50 %v, p99 %v", took[len(took)/2], took[len(took)*99/100])
			// A draw of 10^9 takes seconds; whoever waits for its end is far beyond this.
			if p50 := took[len(took)/2]; p50 > 200*time.Millisecond {
				t.Errorf("/info takes %v (p50) during draws", p50)
			}
		})
	}
}

// cpuTime is what the process has used.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 on every Linux
}

func TestTooManyNumbersAreRefused(t *testing.T) {
	t.Parallel()
	cmd := command(t)
	cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
	p := startOn(t, listen(t), cmd)
	answers := make(chan *http.Response, 6)
	for range cap(answers) {
		go func() {
			// A thousand million for each: one is drawn, one waits, and that is all that may.
			res, _, err := ask(http.DefaultClient, http.MethodGet, "http://"+p.addr+"/api/randoms?cant=1000000000")
			if err == nil { // not of those that the end of the test cuts off
				answers <- res
			}
		}()
	}
	for range cap(answers) - 2 {
		res := <-answers
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("answer = %s, Retry-After %q; want 503 with Retry-After", res.Status, res.Header.Get("Retry-After"))
		}
	}
}
