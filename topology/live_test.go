package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

// request asks a page and returns the answer, which has to be a good one.
func request(t *testing.T, method, url, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v: %s", method, url, resp.Status, err, text)
	}
	return text
}

// The page of a layout in the background tells what status tells, acts as commands do, and goes with the layout; so
// does a page that was opened beside it.
func TestLivePage(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	out := l.mustUp("--ui=127.0.0.1:0")
	at := regexp.MustCompile(`The live page: (http://127\.0\.0\.1:\d+/)`).FindStringSubmatch(out)
	if at == nil {
		t.Fatalf("up -d --ui names no page:\n%s", out)
	}
	var s status.Snapshot
	if err := json.Unmarshal(request(t, http.MethodGet, at[1]+"api/status", ""), &s); err != nil {
		t.Fatal(err)
	}
	if own := l.status(); s.PID != own.PID || len(s.Parts) != len(own.Parts) || s.HTTPPort != l.http {
		t.Errorf("/api/status: got pid %d and %d parts, status --json has %d and %d", s.PID, len(s.Parts), own.PID, len(own.Parts))
	}
	if said := request(t, http.MethodPost, at[1]+"api/actions", `{"verb":"down","names":["site2"]}`); !bytes.Contains(said, []byte(`"topology down site2"`)) {
		t.Errorf("down site2: got %s", said)
	}
	if p := part(t, l.status(), "site2"); p.State != supervise.Stopped {
		t.Errorf("site2 is %s, want it down", p.State)
	}
	if logs := l.must("logs", "topology"); !strings.Contains(logs, "down site2 (by page)") {
		t.Errorf("the log does not tell who took site2 down:\n%s", logs)
	}
	if out := l.must("ui"); !strings.Contains(out, "shown at "+at[1]+" already") {
		t.Errorf("ui: got %q", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	beside := l.command("ui", "127.0.0.1:0")
	stdout, err := beside.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := beside.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = beside.Process.Signal(os.Interrupt) })
	defer stop()
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if other := regexp.MustCompile(`http://\S+`).FindString(first); err != nil || other == "" {
		t.Errorf("ui beside it: got %q, %v", first, err)
	} else {
		request(t, http.MethodGet, other, "")
	}
	l.must("down")
	rest, err := io.ReadAll(lines)
	if err != nil || !bytes.Contains(rest, []byte("Layout seed is down.")) {
		t.Errorf("ui after the layout is down: got %q, %v", rest, err)
	}
	if err := beside.Wait(); err != nil {
		t.Errorf("ui: %v", err)
	}
	if resp, err := http.Get(at[1]); err == nil {
		resp.Body.Close()
		t.Errorf("the page is still there: %s", resp.Status)
	}
}
