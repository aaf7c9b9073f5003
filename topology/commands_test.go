package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"balanceo/topology/layout"
	"balanceo/topology/procs"
	"balanceo/topology/status"
	"balanceo/topology/supervise"
)

// A layout of the user's own, with nginx's configuration beside it, and --free-ports.
func TestOwnLayout(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	example, err := filepath.Abs("layout/example/three.yaml")
	if err != nil {
		t.Fatal(err)
	}
	l.mustUp("--layout", example)
	s := l.status()
	shares := map[string]float64{"small": 0.6, "medium": 0.2, "large": 0.2}
	for _, p := range s.Parts {
		if want, ok := shares[p.Name]; ok && (p.Expected == nil || *p.Expected != want || p.Group != "app") {
			t.Errorf("%s: got %+v, want %v of group app", p.Name, p, want)
		}
	}
	// Ports that somebody has are moved, and that is said; those that were asked for are not.
	base := part(t, s, "small").Port
	taken, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.NewReplacer("8000", strconv.Itoa(l.http), "8001", strconv.Itoa(base), "8002", strconv.Itoa(base+1), "8003", strconv.Itoa(base+2))
	conf, err := os.ReadFile("layout/example/three.conf")
	if err != nil {
		t.Fatal(err)
	}
	l.write("three.yaml", strings.Replace(moved.Replace(string(taken)), "name: three ", "name: again ", 1))
	l.write("three.conf", moved.Replace(string(conf)))
	out := l.must("up", "-d", "--free-ports", "--layout", "three.yaml")
	for _, want := range []string{
		fmt.Sprintf("port %d is taken by pid ", base), "the instances use ports from ",
		fmt.Sprintf("port %d is taken by pid ", l.http), "nginx uses port ", "layout again on :",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("up --free-ports: %q is missing in %s", want, out)
		}
	}
	if states, err := layout.Running(filepath.Join(l.dir, "run")); len(states) != 2 || err != nil {
		t.Errorf("running layouts: got %+v, %v, want two", states, err)
	}
}

// run takes the layout down whatever becomes of the command, and ends with the command's code.
func TestRun(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	flags := []string{"run", "--layout", "fork", "--http-port", strconv.Itoa(l.http), "--base-port", strconv.Itoa(l.base), "--"}
	out, code := l.topology(append(flags, "sh", "-c", "topology status --json >status.json && echo $BALANCEO_TARGET $BALANCEO_RUN && exit 7")...)
	run, err := filepath.EvalSymlinks(filepath.Join(l.dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(":%d %s\n", l.http, run); code != 7 || !strings.Contains(out, want) {
		t.Errorf("run of a command that exits 7: code %d, %s, want %q", code, out, want)
	}
	text, err := os.ReadFile(filepath.Join(l.dir, "status.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s status.Snapshot
	if err := json.Unmarshal(text, &s); err != nil || !allReady(&s) {
		t.Fatalf("status for the command: %v, %s", err, text)
	}
	l.gone(&s, 0)

	// A signal to topology alone ends the command, then the layout.
	cmd := l.command(append(flags, "sh", "-c", "trap 'echo ended; exit 3' TERM; echo begun; while :; do sleep 0.05; done")...)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(pipe)
	if line, err := in.ReadString('\n'); line != "begun\n" || err != nil {
		t.Errorf("the command says %q, %v", line, err)
	}
	state, ok, err := layout.FindByTarget(filepath.Join(l.dir, "run"), fmt.Sprintf(":%d", l.http))
	if !ok || err != nil {
		t.Fatalf("the layout of the command: %v, %v", ok, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(in)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 || string(rest) != "ended\n" {
		t.Errorf("run that got TERM: code %d, %q, want 3, ended", code, rest)
	}
	// Another command may take it down just so.
	out, code = l.topology(append(flags, "sh", "-c", "trap 'echo ended; exit 4' TERM; topology down & wait $!; while :; do sleep 0.05; done")...)
	if code != 4 || !strings.Contains(out, "ended\n") {
		t.Errorf("run of a command during which the layout is taken down: code %d, %s", code, out)
	}
	for _, in := range state.Instances {
		s.Parts = append(s.Parts, status.Part{Name: in.Name, Port: in.Port})
	}
	l.gone(&s, 0)
}

// In the foreground a layout shows itself, and ends with the signal of Ctrl-C.
func TestForeground(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	cmd := l.command("up", "--layout", "fork", "--http-port", strconv.Itoa(l.http), "--base-port", strconv.Itoa(l.base))
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(pipe)
	var seen strings.Builder
	for in.Scan() && !strings.Contains(in.Text(), "Ctrl-C takes the layout down") {
		seen.WriteString(in.Text() + "\n")
	}
	if !strings.Contains(seen.String(), "layout fork on :"+strconv.Itoa(l.http)) {
		t.Errorf("up in the foreground: got %s", seen.String())
	}

	follow := l.command("logs", "-f", "-n", "0", "serverA")
	lines, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	s := l.status()
	// When following has begun is not known: restart until it shows.
	found := make(chan bool, 1)
	go func() {
		in := bufio.NewScanner(lines)
		for in.Scan() {
			if strings.Contains(in.Text(), "serverA") && strings.Contains(in.Text(), "serving") {
				found <- true
				return
			}
		}
		found <- false
	}()
	for shown, deadline := false, time.Now().Add(30*time.Second); !shown; {
		l.must("restart", "serverA")
		select {
		case shown = <-found:
		case <-time.After(300 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("logs -f shows nothing")
		}
	}
	for _, c := range []interface{ Signal(os.Signal) error }{follow.Process, cmd.Process} {
		if err := c.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	for in.Scan() {
	}
	if err := follow.Wait(); err != nil {
		t.Errorf("logs -f after Ctrl-C: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("up after Ctrl-C: %v", err)
	}
	l.gone(s, 0)
}

// A terminal that takes nothing any more, as after Ctrl-S, does not keep a layout from being kept: what dies is
// started again, and the layout can be taken down.
func TestStoppedTerminal(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	for full := make([]byte, 4096); err == nil; { // nobody reads
		_ = w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		_, err = w.Write(full)
	}
	_ = w.SetWriteDeadline(time.Time{})
	cmd := l.command("up", "--layout", "fork", "--http-port", strconv.Itoa(l.http), "--base-port", strconv.Itoa(l.base))
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if out, code := l.topology("status", "--json"); code == 0 && strings.Count(out, `"ready"`) == 8 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("not up: %s", out)
		}
	}
	for range 3 {
		before := part(t, l.status(), "site2")
		l.must("kill", "site2")
		l.eventually("site2 is started again", func(s *status.Snapshot) bool {
			p := part(t, s, "site2")
			return p.State == supervise.Ready && p.PID != before.PID
		})
	}
	l.must("down")
	if err := cmd.Wait(); err != nil {
		t.Errorf("up after down: %v", err)
	}
}

// A program that speaks the protocol of server and is built in a moment.
const standIn = `package main

import (
	"net"
	"net/http"
	"os"
	"strconv"
)

const answer = "one"

func main() {
	ln, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		panic(err)
	}
	fd, err := strconv.Atoi(os.Getenv("READY_FD"))
	if err != nil {
		panic(err)
	}
	ready := os.NewFile(uintptr(fd), "ready")
	if _, err := ready.WriteString("ready\n"); err != nil {
		panic(err)
	}
	_ = ready.Close()
	_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
}
`

// A change of the sources is built and reloaded; one that can't be built, or does not start, is not.
func TestWatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.env = []string{"MONGO_URL=mongodb://user:topsecret@127.0.0.1:1/none"} // the stand-in has no database
	for _, dir := range []string{"server", "bin"} {
		if err := os.Mkdir(filepath.Join(l.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.write("go.mod", "module m\n\ngo 1.26\n")
	source := filepath.Join("server", "main.go")
	l.write(source, standIn)
	byHand := func() []byte {
		t.Helper()
		build := exec.Command("go", "build", "-o", "bin/server", "./server")
		build.Dir = l.dir
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(filepath.Join(l.dir, "bin", "server"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	byHand()
	l.mustUp("--watch", "--layout", "fork", "--server-bin", "bin/server")
	says := func() string {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", l.http))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	news := func(part string) func(*status.Snapshot) bool {
		return func(s *status.Snapshot) bool { return strings.Contains(s.Watch, part) }
	}
	l.eventually("watching begins", news("waits for changes"))
	tests := []struct{ from, to, news, says string }{
		{`"one"`, `"two"`, "6 instances reloaded", "two"},
		{`"two"`, `undefined`, "build failed: server/main.go:10:16: undefined: undefined; the instances run on", "two"},
		{"undefined\n\nfunc main() {", "\"bad\"\n\nfunc main() {\n\tpanic(\"no\")", "did not become ready: exit status 2", "two"},
		{"\"bad\"\n\nfunc main() {\n\tpanic(\"no\")", "\"three\"\n\nfunc main() {", "6 instances reloaded", "three"},
	}
	text := standIn
	var given []byte
	for _, tt := range tests {
		text = strings.Replace(text, tt.from, tt.to, 1)
		l.write(source, text)
		if given == nil { // what is built by hand meanwhile hides no change
			given = byHand()
		}
		s := l.eventually(fmt.Sprintf("%s → %s", tt.from, tt.to), news(tt.news))
		if !allReady(s) || says() != tt.says {
			t.Errorf("%s → %s: nginx passes on %q, want %q; status %+v", tt.from, tt.to, says(), tt.says, s)
		}
	}
	if now, err := os.ReadFile(filepath.Join(l.dir, "bin", "server")); !bytes.Equal(now, given) || err != nil {
		t.Errorf("the program given by --server-bin was overwritten; %v", err)
	}
	private(t, l)
	if table := l.must("status"); !strings.Contains(table, "\nwatch: ") {
		t.Errorf("status does not tell of the watching: %s", table)
	}
}

// private wants nothing secret in what a layout writes, says and shows in the list of processes, and its folder closed
// to others.
func private(t *testing.T, l *lab) {
	t.Helper()
	s := l.status()
	run := filepath.Join(l.dir, "run")
	for _, dir := range []string{run, s.Dir, filepath.Join(s.Dir, "logs"), filepath.Join(s.Dir, "database")} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("folder %s: got %v, %v, want it for this user only", dir, info.Mode(), err)
		}
	}
	if info, err := os.Stat(filepath.Join(s.Dir, "state.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state.json: got %v, %v, want it for this user only", info.Mode(), err)
	}
	texts := []string{l.must("status", "--json")}
	for _, pid := range pids(s) {
		command, err := procs.Command(pid)
		if err != nil {
			t.Error(err)
		}
		texts = append(texts, command)
	}
	err := filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, readErr := os.ReadFile(path)
			texts, err = append(texts, string(text)), readErr
		}
		return err
	})
	told := strings.Contains(strings.Join(texts, "\n"), "topsecret")
	if err != nil || told {
		t.Errorf("%v; the password is told: %v", err, told)
	}
}
