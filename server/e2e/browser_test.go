//go:build e2e

package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var shots = flag.String("screenshots", "", "folder for pictures of the pages")

// launch starts the browser, which ends with the test.
func launch(t testing.TB) context.Context {
	t.Helper()
	program := os.Getenv("CHROME")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && program == "" {
			program = path
		}
	}
	if program == "" {
		t.Fatal("no browser: install chromium, or name one in CHROME")
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.NoSandbox, // refused to root otherwise
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("lang", "es"),
	)...)
	t.Cleanup(cancel)
	browser, cancelBrowser := chromedp.NewContext(ctx)
	t.Cleanup(cancelBrowser)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("starting %s: %v", program, err)
	}
	return browser
}

// person is somebody with cookies of their own, who looks at one page.
type person struct {
	t    testing.TB
	name string
	ctx  context.Context

	mu       sync.Mutex
	errors   []string // of the console, and requests to other hosts
	visits   []string // documents that were asked for
	expected []string // parts of texts that are no error now
}

func newPerson(t testing.TB, browser context.Context, name string) *person {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &person{t: t, name: name, ctx: ctx}
	p.attach()
	p.run(chromedp.EmulateViewport(1280, 860))
	return p
}

// attach begins to listen to the browser's complaints.
func (p *person) attach() {
	p.t.Helper()
	if err := chromedp.Listen(p.ctx, p.hear); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	if _, err := chromedp.Call(p.ctx, network.Enable, network.EnableParams{}); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	if _, err := chromedp.Call(p.ctx, log.Enable, cdp.Empty{}); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *person) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			p.problem(fmt.Sprintf("console.error: %+v", e.Args))
		}
	case *runtime.EventExceptionThrown:
		p.problem(fmt.Sprintf("exception: %+v", e.ExceptionDetails))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			p.problem("log: " + e.Entry.Text + " " + e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			visit := time.Now().Format("05.000 ") + e.Request.Method + " " + e.Request.URL
			if e.RedirectResponse != nil {
				visit += fmt.Sprintf(" after %d from %s", e.RedirectResponse.Status, e.RedirectResponse.URL)
			}
			p.mu.Lock()
			p.visits = append(p.visits, visit)
			p.mu.Unlock()
		}
		if u, err := url.Parse(e.Request.URL); err != nil || u.Hostname() != "127.0.0.1" {
			p.problem("request to another host: " + e.Request.URL)
		}
	}
}

func (p *person) problem(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.expected {
		if strings.Contains(text, part) {
			return
		}
	}
	p.errors = append(p.errors, text)
}

// expect makes texts that contain one of the parts no error from now on.
func (p *person) expect(parts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = parts
}

// clean fails the test if the browser complained.
func (p *person) clean() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.errors {
		p.t.Errorf("%s's browser: %s", p.name, text)
	}
	p.errors = nil
}

func (p *person) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *person) open(address string) { p.t.Helper(); p.run(chromedp.Navigate(address)) }

// fill types into fields given as selector, text, …, and presses enter in the last.
func (p *person) fill(fields ...string) {
	p.t.Helper()
	for i := 0; i < len(fields); i += 2 {
		p.run(chromedp.WaitVisible(chromedp.CSS(fields[i])), chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void (document.querySelector(%q).value = '')", fields[i])), chromedp.SendKeys(chromedp.CSS(fields[i]), fields[i+1]))
	}
	p.run(chromedp.SendKeys(chromedp.CSS(fields[len(fields)-2]), "\r"))
}

// until waits until a JavaScript expression is true; what says so in words.
func (p *person) until(what, expression string) {
	p.t.Helper()
	var last error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](expression))
		if ok {
			return
		}
		last = err // expected while a page goes to another
	}
	at, _ := chromedp.Run(p.ctx, chromedp.Location())
	text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	p.shot("failure-" + p.name)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.t.Fatalf("%s waited for %s in vain: %v; at %s:\n%s\nvisits:\n%s", p.name, what, last, at, text, strings.Join(p.visits, "\n"))
}

func (p *person) untilAt(path string) {
	p.t.Helper()
	p.until("the page "+path, fmt.Sprintf("location.pathname === %q && document.readyState === 'complete'", path))
}

func (p *person) untilText(selector, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q in %s", text, selector),
		fmt.Sprintf("(document.querySelector(%q) || {innerText: ''}).innerText.includes(%q)", selector, text))
}

// fits fails if the page can be scrolled sideways.
func (p *person) fits(page string) {
	p.t.Helper()
	over, err := chromedp.Run(p.ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth - innerWidth"))
	if err != nil || over > 0 {
		p.t.Errorf("page %s is %d pixels wider than the screen, %v", page, over, err)
	}
}

// shot takes a picture of the page, if pictures were asked for.
func (p *person) shot(name string) {
	if *shots == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Errorf("picture %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644); err != nil {
		p.t.Error(err)
	}
}

// window opens another window of the same person, with the same cookies.
func (p *person) window() *person {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	w := &person{t: p.t, name: p.name, ctx: ctx}
	w.attach()
	return w
}
