//go:build e2e

package page

import (
	"bytes"
	"context"
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
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// TestE2EPage opens the page from disk in a real browser, as wide as a screen and as narrow as a phone, in light
// and in dark. "go test -artifacts" keeps the screenshots.
func TestE2EPage(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, four(t)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: file}).String()

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser(t)),
		chromedp.NoSandbox, // refused to root otherwise
		chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()),
	)...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	seen := watch(ctx, t)
	keep := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name), data, 0o644); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		name   string
		width  int64
		scheme string
	}{{"wide-light", 1280, "light"}, {"wide-dark", 1280, "dark"}, {"phone-light", 390, "light"}, {"phone-dark", 390, "dark"}} {
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.scheme}},
		}); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(c.width, 844), chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS("footer"))); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		found, err := chromedp.Run(ctx, chromedp.Evaluate[pageFacts](script))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		found.check(t, c.name, c.width, c.scheme)
		shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		keep(c.name+".png", shot)
	}
	pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF())
	if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF")) {
		t.Errorf("print: %v, %d bytes", err, len(pdf))
	}
	keep("print.pdf", pdf)
	seen.check(t, address)
}

// observed is what the browser did behind the page.
type observed struct {
	mu       sync.Mutex
	requests []string
	messages []string
}

func watch(ctx context.Context, t *testing.T) *observed {
	t.Helper()
	o := &observed{}
	err := chromedp.Listen(ctx, func(event any) {
		o.mu.Lock()
		defer o.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			o.requests = append(o.requests, e.Request.URL)
		case *log.EventEntryAdded:
			o.messages = append(o.messages, e.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			o.messages = append(o.messages, fmt.Sprint(e.Type))
		case *runtime.EventExceptionThrown:
			o.messages = append(o.messages, fmt.Sprintf("%+v", e.ExceptionDetails))
		}
	})
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return o
}

// browser is the browser's path.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROME"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no browser: install chromium, or name one in CHROME")
	return ""
}

func (o *observed) check(t *testing.T, address string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.messages) > 0 {
		t.Errorf("the browser complains: %q", o.messages)
	}
	if len(o.requests) == 0 {
		t.Error("the browser asked for nothing, not even the page: the test does not see requests")
	}
	for _, r := range o.requests {
		if r != address && !strings.HasPrefix(r, "data:") {
			t.Errorf("the page asks for %q", r)
		}
	}
}

// pageFacts is what script finds on the page.
type pageFacts struct {
	Plots      int
	NoAlt      []string // plots whose alternative has no number in it
	Clipped    []string // texts of plots that stick out of them
	Overlaps   []string // texts of plots that lie on one another
	SmallText  float64  // the least height of letters in a plot, pixels
	Wider      int      // pixels by which the page is wider than the screen
	Outside    []string // elements that reach over the right edge
	Background string
	Ink        string // colour of a plot's text
	NoNumbers  int    // figures in sections without a table
}

const script = `(() => {
  const out = {Plots: 0, NoAlt: [], Clipped: [], Overlaps: [], SmallText: 99, Outside: [], NoNumbers: 0};
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    out.Plots++;
    const alt = svg.getAttribute('aria-label') || '';
    if (!/[0-9]/.test(alt)) out.NoAlt.push(alt);
    const box = svg.getBoundingClientRect(), rects = [];
    for (const text of svg.querySelectorAll('text')) {
      const r = text.getBoundingClientRect();
      if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1)
        out.Clipped.push(text.textContent);
      out.SmallText = Math.min(out.SmallText, Math.min(r.height, r.width + 99));
      for (const [name, q] of rects)
        if (r.left < q.right - 1 && q.left < r.right - 1 && r.top < q.bottom - 3 && q.top < r.bottom - 3)
          out.Overlaps.push(name + ' / ' + text.textContent);
      rects.push([text.textContent, r]);
    }
  }
  for (const e of document.querySelectorAll('body *')) {
    const r = e.getBoundingClientRect();
    if (r.right > document.documentElement.clientWidth + 1 && !e.closest('thead') && !e.closest('.hidden'))
      out.Outside.push(e.tagName + '.' + e.className + ' ' + (e.textContent || '').slice(0, 30));
  }
  for (const f of document.querySelectorAll('.figures figure')) if (!f.querySelector('details td')) out.NoNumbers++;
  out.Wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  out.Background = getComputedStyle(document.body).backgroundColor;
  out.Ink = getComputedStyle(document.querySelector('.plot text')).fill;
  return out;
})()`

func (f *pageFacts) check(t *testing.T, name string, width int64, scheme string) {
	t.Helper()
	if f.Plots < 10 || len(f.NoAlt) > 0 || f.NoNumbers > 0 {
		t.Errorf("%s: %d plots; without numbers in their text: %q, without a table: %d", name, f.Plots, f.NoAlt, f.NoNumbers)
	}
	if len(f.Clipped) > 0 || len(f.Overlaps) > 0 {
		t.Errorf("%s: texts of plots are cut off: %q, or lie on one another: %q", name, f.Clipped, f.Overlaps)
	}
	if f.SmallText < 8 {
		t.Errorf("%s: letters in a plot stand in a box %.1f pixels high, want 8 at least", name, f.SmallText)
	}
	if f.Wider > 0 || len(f.Outside) > 0 {
		t.Errorf("%s: the page is %d pixels wider than %d: %q", name, f.Wider, width, f.Outside)
	}
	var red, green, blue int
	if _, err := fmt.Sscanf(f.Background, "rgb(%d, %d, %d)", &red, &green, &blue); err != nil {
		t.Errorf("%s: background %q: %v", name, f.Background, err)
	}
	if dark := red+green+blue < 3*128; dark != (scheme == "dark") {
		t.Errorf("%s: background %s", name, f.Background)
	}
	if f.Ink == f.Background || strings.Contains(f.Ink, "254") {
		t.Errorf("%s: plots are written in %s on %s", name, f.Ink, f.Background)
	}
}
