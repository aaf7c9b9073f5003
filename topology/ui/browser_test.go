//go:build e2e

package ui_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"balanceo/topology/ports"
)

// limit is how long anything may take.
const limit = time.Minute

// demo starts the layout with a load and its page on free ports, as make demo does, and returns the page's address.
func demo(t *testing.T, args ...string) (page string, dir string) {
	t.Helper()
	bin, dir := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "balanceo/server", "balanceo/topology", "balanceo/loadgen").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	front, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	base, err := ports.FreeBlock("127.0.0.1", []int{0, 1, 2, 3, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "topology"), append([]string{
		"demo", "--run-dir", dir, "--ui=127.0.0.1:0", "--http-port", strconv.Itoa(front), "--base-port", strconv.Itoa(base),
	}, args...)...)
	cmd.Dir = "../.." // where nginx.conf lies
	cmd.Env = append(os.Environ(), "MONGO_URL=")
	var said strings.Builder
	cmd.Stderr = &said
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil {
			t.Errorf("topology demo: %v\n%s", err, said.String())
		}
	})
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("topology demo names no page: %v\n%s", err, said.String())
	}
	t.Logf("the page was there after %v", time.Since(begun).Round(time.Millisecond))
	return strings.TrimSpace(line), dir
}

// share is a JavaScript expression for the share that the picture shows.
func share(name string) string {
	return fmt.Sprintf("Number(document.querySelector('.row[data-name=%s]').dataset.share)", name)
}

// TestE2EKill kills a server from the page: its share goes to the others, and back, and both are in the timeline.
func TestE2EKill(t *testing.T) {
	page, _ := demo(t, "--rate", "300")
	v := look(t, page, "en")
	v.until("quarters", fmt.Sprintf("Math.abs(%s - 0.25) < 0.02 && Math.abs(%s - 0.25) < 0.02", share("serverA"), share("serverB")))
	v.until("a verdict", "document.querySelectorAll('#verdicts [data-state=pass]').length === 2")
	v.until("agreement", "/client = nginx = servers/.test(document.getElementById('verdicts').textContent)")
	v.until("the verdict as a live text", "document.querySelectorAll('#spoken[role=status]').length === 1 && /2:1 as promised/.test(document.getElementById('spoken').textContent)")
	v.shot("quiet-1280")
	v.click(".row[data-name=serverB]")
	const kill = `.hand[data-key="topology kill serverB --for 10s"]`
	v.click(kill)
	thirds := v.until("thirds", fmt.Sprintf("%s < 0.01 && ['serverA', 'serverC', 'serverD'].every((n) => Math.abs(Number(document.querySelector(`.row[data-name=${n}]`).dataset.share) - 1 / 3) < 0.02)", share("serverB")))
	t.Logf("the shares were thirds %v after the click", thirds.Round(10*time.Millisecond))
	v.until("who is out", "document.querySelector('#verdicts [data-state=out]')")
	if text := v.js("document.querySelector('.row[data-name=serverB] .c-instance').textContent"); !strings.Contains(text, "kill") {
		t.Errorf("the row of serverB says %q, not why it is down", text)
	}
	v.shot("killed-1280")
	v.until("serverB back", "document.querySelector('.row[data-name=serverB]').dataset.state === 'ready'")
	v.until("quarters", fmt.Sprintf("Math.abs(%s - 0.25) < 0.02", share("serverB")))
	marks := v.js("document.getElementById('marks').innerText")
	for _, want := range []string{`kill serverB --for 10s by page`, `serverB ready`} {
		if !regexp.MustCompile(want).MatchString(marks) {
			t.Errorf("the timeline has no mark %q:\n%s", want, marks)
		}
	}
	v.until("a verdict anew", "document.querySelectorAll('#verdicts [data-state=pass]').length === 2")
	v.clean()
}

// TestE2EHands does with keys and buttons what a person would, in Spanish, and by the command line beside it.
func TestE2EHands(t *testing.T) {
	page, dir := demo(t, "--rate", "100")
	v := look(t, page, "es")
	v.until("Spanish", "document.documentElement.lang === 'es' && /como se prometió/.test(document.getElementById('verdicts').innerText)")
	v.click("#lang")
	v.until("English", "/as promised/.test(document.getElementById('verdicts').innerText)")
	v.run(chromedp.KeyEvent("p"))
	v.until("larger letters", "document.documentElement.classList.contains('room')")
	v.shot("room-1280")
	v.run(chromedp.KeyEvent("p"))
	v.run(chromedp.KeyEvent("1"))
	v.until("site1 down", "document.querySelector('.row[data-name=site1]').dataset.state === 'stopped'")
	v.until("site2 serving all", fmt.Sprintf("%s > 0.99", share("site2")))
	v.run(chromedp.KeyEvent("1"))
	v.until("site1 up", "document.querySelector('.row[data-name=site1]').dataset.state === 'ready'")
	still(v)
	v.click(".node.group[data-group=node_app_api]")
	v.click(`[data-key="topology balance node_app_api least_conn"]`)
	v.until("least_conn", "/least_conn/.test(document.querySelector('.node.group[data-group=node_app_api]').textContent)")
	v.until("no promise", "document.querySelector('#verdicts [data-group=node_app_api]').dataset.state === 'info'")
	v.click("#client")
	v.js("(() => { const i = document.querySelector('#panel input[data-key=rate]'); i.value = 250; i.dispatchEvent(new Event('input')); })()")
	v.click(`.hand[data-key=start]`)
	v.until("more load", "Number(document.getElementById('rate').textContent) > 230")
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "balanceo/topology", "balanceo/loadgen").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if out, err := exec.Command(filepath.Join(bin, "topology"), "slow", "--run-dir", dir, "serverC", "120ms").CombinedOutput(); err != nil {
		t.Fatalf("topology slow: %v\n%s", err, out)
	}
	v.until("the mark of the command line", "/slow serverC 120ms by command line/.test(document.getElementById('marks').innerText)")
	v.until("serverC slow", "/120/.test(document.querySelector('.row[data-name=serverC] .c-p99').textContent) || parseInt(document.querySelector('.row[data-name=serverC] .c-p99').textContent) > 100")
	v.click("#client")
	v.click(`.hand[data-key=stop]`)
	v.until("no load", "document.getElementById('client').lastChild.textContent === 'no load'")
	target := v.js("document.getElementById('where').textContent.match(/:\\d+/)[0]")
	terminal := exec.Command(filepath.Join(bin, "loadgen"), "-target", target, "-rate", "20", "-duration", "5s", "-quiet", "-out", t.TempDir())
	if err := terminal.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = terminal.Wait() }() // with serverC slow and least_conn, whatever it finds
	v.until("a load that is not the page's", "/^loadgen [1-9]/.test(document.getElementById('client').lastChild.textContent) && /not from this page: loadgen\\/2/.test(document.getElementById('panel').textContent)")
	v.until("the mark of a load from a terminal", "/load begins by loadgen\\/2/.test(document.getElementById('marks').innerText)")
	v.until("the mark of its end", "/load ends by loadgen\\/2/.test(document.getElementById('marks').innerText)")
	if marks := v.js("document.getElementById('marks').innerText.match(/load begins/g).length"); marks != "1" {
		t.Errorf("%s loads have begun by their marks, want the one from the terminal:\n%s", marks, v.js("document.getElementById('marks').innerText"))
	}
	for _, scheme := range []string{"light", "dark"} {
		v.scheme(scheme)
		for _, size := range [][2]int64{{1280, 720}, {1920, 1080}, {390, 844}} {
			v.size(size[0], size[1])
			v.js("document.querySelector('#panel .close')?.click()")
			if over := v.js("document.documentElement.scrollWidth - innerWidth"); over != "0" {
				t.Errorf("%d pixels: the page is %s too wide", size[0], over)
			}
			v.until("room for the picture", "document.querySelectorAll('.row[data-name]').length === 6")
			v.shot(fmt.Sprintf("%s-%d", scheme, size[0]))
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, text := range v.problems {
		t.Errorf("the browser: %s", text)
	}
}

// still looks whether the page honours a wish for less motion: no request moves, and nothing glides; and only then.
func still(v *viewer) {
	v.t.Helper()
	v.js(`(() => {
		const { arc } = CanvasRenderingContext2D.prototype;
		globalThis.dots = 0;
		CanvasRenderingContext2D.prototype.arc = function (...at) { dots++; return arc.apply(this, at); };
		new EventSource('api/events').onmessage = () => { globalThis.told = (globalThis.told ?? 0) + 1; };
	})()`)
	v.until("requests that move", "dots > 100")
	glides := "getComputedStyle(document.querySelector('.bar i')).transitionDuration"
	if d := v.js(glides); d == "0s" {
		v.t.Errorf("bars glide for %s without the wish, want longer", d)
	}
	v.prefers("prefers-reduced-motion", "reduce")
	v.js("void (told = 0)")
	v.until("requests that were on their way to be gone, after four seconds", "told >= 16")
	v.js("void (dots = 0, told = 0)")
	v.until("three seconds of news", "told >= 12")
	if n := v.js("dots"); n != "0" {
		v.t.Errorf("%s dots were drawn although less motion is wished for", n)
	}
	if d := v.js(glides); d != "0s" {
		v.t.Errorf("bars glide for %s although less motion is wished for", d)
	}
	v.prefers("prefers-reduced-motion", "no-preference")
	v.until("requests that move again", "dots > 100")
}

// TestE2ELessons plays each lesson to its end.
func TestE2ELessons(t *testing.T) {
	page, _ := demo(t)
	v := look(t, page, "en")
	v.click("#lessons")
	v.until("the list", "document.querySelectorAll('#panel .lesson[data-lesson]').length === 5")
	for n := 1; n <= 5; n++ {
		v.click(fmt.Sprintf("#panel .lesson[data-lesson='%d']", n))
		v.until("the lesson", "document.querySelector('.step.now')")
		if !v.is("document.querySelector('[data-key=load]').disabled") {
			v.click("[data-key=load]")
		}
		v.until("its load", "document.querySelector('[data-key=load]').disabled")
		for !v.is("!!document.querySelector('.found')") {
			step := v.js("document.querySelectorAll('.step.done').length")
			v.until("a step", "document.querySelector('.found') || document.querySelector('.step.now')")
			if v.is("!!document.querySelector('.step.now [data-key=press]')") {
				if v.is("document.querySelector('.step.now').dataset.seen === 'true'") {
					t.Errorf("lesson %d: a step has been seen before anything was pressed", n)
				}
				v.click(".step.now [data-key=press]")
			}
			v.until("the check of step "+step, fmt.Sprintf("document.querySelectorAll('.step.done').length > %s", step))
		}
		found := v.js("document.querySelector('.found p').innerText")
		t.Logf("lesson %d: %s", n, found)
		if regexp.MustCompile(`[{}]|NaN|undefined`).MatchString(found) {
			t.Errorf("lesson %d ends with %q", n, found)
		}
		v.shot(fmt.Sprintf("lesson-%d", n))
		v.click("[data-key=back]")
		v.until("everything put back", "document.querySelectorAll('#panel .lesson[data-lesson]').length === 5 && !/…/.test(document.querySelector('#panel .said').innerText)")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, text := range v.problems {
		t.Errorf("the browser: %s", text)
	}
}
