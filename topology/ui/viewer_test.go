//go:build e2e

package ui_test

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var shots = flag.String("screenshots", "", "folder for pictures of the page")

// viewer is somebody who looks at the page.
type viewer struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // of the console, and requests to other hosts
}

func look(t *testing.T, page, lang string) *viewer {
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
		chromedp.Flag("lang", lang),
		chromedp.Flag("accept-lang", lang),
	)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", program, err)
	}
	v := &viewer{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, v.hear); err != nil {
		t.Fatal(err)
	}
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); return err },
		func() error { _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); return err },
	} {
		if err := enable(); err != nil {
			t.Fatal(err)
		}
	}
	v.size(1280, 720)
	v.run(chromedp.Navigate(page))
	// What moves by itself while nobody touches anything is a layout shift.
	v.js(`(() => { globalThis.shifts = 0; new PerformanceObserver((l) => { for (const e of l.getEntries()) if (!e.hadRecentInput) shifts += e.value; }).observe({type: 'layout-shift', buffered: true}); })()`)
	v.until("the picture", "document.body.classList.contains('known') && document.querySelectorAll('.row[data-name]').length === 6")
	return v
}

func (v *viewer) hear(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		problem = fmt.Sprintf("console.%s: %+v", e.Type, e.Args)
	case *runtime.EventExceptionThrown:
		problem = fmt.Sprintf("exception: %+v", e.ExceptionDetails)
	case *log.EventEntryAdded:
		problem = "log: " + e.Entry.Text + " " + e.Entry.URL
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Hostname() != "127.0.0.1" {
			problem = "request to another host: " + e.Request.URL
		}
	}
	if problem != "" {
		v.mu.Lock()
		v.problems = append(v.problems, problem)
		v.mu.Unlock()
	}
}

func (v *viewer) run(actions ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, limit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		v.t.Fatal(err)
	}
}

// js is what a JavaScript expression says, as a text.
func (v *viewer) js(expression string) string {
	v.t.Helper()
	text, err := chromedp.Run(v.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		v.t.Fatalf("%s: %v", expression, err)
	}
	return text
}

func (v *viewer) is(expression string) bool { v.t.Helper(); return v.js(expression) == "true" }

// until waits until a JavaScript expression is true, and returns how long that took; what says so in words.
func (v *viewer) until(what, expression string) time.Duration {
	v.t.Helper()
	begun := time.Now()
	for time.Since(begun) < limit {
		if ok, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool]("!!("+expression+")")); ok && err == nil {
			return time.Since(begun)
		}
		time.Sleep(20 * time.Millisecond)
	}
	v.shot("failure")
	v.t.Fatalf("waited for %s in vain:\n%s", what, v.js("document.body.innerText"))
	return 0
}

func (v *viewer) click(selector string) {
	v.t.Helper()
	v.until(selector, fmt.Sprintf("document.querySelector(%q) && !document.querySelector(%[1]q).disabled", selector))
	v.run(chromedp.Click(chromedp.CSS(selector)))
}

func (v *viewer) size(w, h int64) { v.t.Helper(); v.run(chromedp.EmulateViewport(w, h)) }

func (v *viewer) scheme(name string) { v.t.Helper(); v.prefers("prefers-color-scheme", name) }

// prefers sets what the browser says of its user, and nothing else of that.
func (v *viewer) prefers(what, value string) {
	v.t.Helper()
	features := []*emulation.MediaFeature{{Name: what, Value: value}}
	if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		v.t.Fatal(err)
	}
}

// shot takes a picture of the page, if pictures were asked for.
func (v *viewer) shot(name string) {
	if *shots == "" {
		return
	}
	png, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644)
	}
	if err != nil {
		v.t.Errorf("picture %s: %v", name, err)
	}
}

// clean fails the test if the browser complained, or if the page moved by itself.
func (v *viewer) clean() {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, text := range v.problems {
		v.t.Errorf("the browser: %s", text)
	}
	if shifted := v.js("shifts.toFixed(3)"); shifted > "0.010" {
		v.t.Errorf("the layout shifted by %s", shifted)
	}
}
