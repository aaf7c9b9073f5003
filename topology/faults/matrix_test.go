//go:build e2e

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	page "balanceo/results/faults"
)

// row is one thing that happens to a layout.
type row struct {
	name  string
	short bool          // of the short form, too
	apart string        // program that is needed beside namespaces of its own; empty: neither is
	first bool          // it happens before the load begins, and starts the layout
	lasts time.Duration // the cause
	// prepare is called before the layout is started. Nil: there is nothing to prepare.
	prepare func(r *rig)
	// fault brings the cause about and returns what ends it, nil where it ends by itself.
	fault func(r *rig) (end func())
	says  string // what a line of status or log is to say of the cause
}

// goal is the longest that the layout may take to be as before once the cause has ended.
const goal = 3 * time.Second

// Times around a fault.
const (
	lead = time.Second
	tail = 3 * time.Second
)

// intro stands above the table.
const intro = "Printed and kept here by `make faults`: for each row a new layout `seed`, loadgen's mix of %d requests/s through nginx, " +
	"ten people signed in, and one of them adding 20 products a second (%s). The processes, the load and who watches share the machine.\n\n" +
	"*Gap*: the longest time in which a route gave no good answer, with the route; 30 to 150 requests a second go to each. " +
	"*Slowest*: of the good answers, counted from when the request was due; what waited for a frozen process shows here. " +
	"*As before*: from the end of the cause until `status` is as before, a product is acknowledged, and no request fails or takes over a second. " +
	"*Products*: acknowledged, and found of these in the database afterwards.\n\n"

func TestFaults(t *testing.T) {
	lines := []string{
		"| fault | requests | failed | gap | slowest | as before after | products | sessions | what says so |",
		"|---|---:|---|---|---:|---:|---|---|---|",
	}
	for _, row := range rows() {
		if testing.Short() && !row.short {
			continue
		}
		t.Run(row.name, func(t *testing.T) { lines = append(lines, row.try(t)) })
	}
	text := verdict(t) + strings.Join(lines, "\n") + "\n"
	t.Logf("\n%s", text)
	if *table == "" {
		return
	}
	if err := page.Put(*table, "Faults", fmt.Sprintf(intro, *rate, page.Machine())+text); err != nil {
		t.Error(err)
	}
}

// verdict stands above a table that shows a run which failed.
func verdict(t *testing.T) string {
	if t.Failed() {
		return "**This run failed.**\n\n"
	}
	return ""
}

// try does what the row says and returns its line of the table.
func (row row) try(t *testing.T) string {
	if row.apart != "" {
		if _, err := exec.LookPath(row.apart); err != nil || os.Getenv(apart) == "" {
			t.Skipf("namespaces of its own and %s are needed", row.apart)
		}
	}
	r := newRig(t, t.TempDir())
	var m moments
	happen := func() {
		m.begins = time.Now()
		end := row.fault(r)
		m.began = time.Now()
		if end != nil {
			time.Sleep(time.Until(m.began.Add(row.lasts)))
			end()
		}
		m.ended = time.Now()
	}
	if row.prepare != nil {
		row.prepare(r)
	}
	if row.first {
		happen()
	}
	r.up()
	if row.first {
		m.healthy = r.awaitHealthy()
	}
	p := r.invite()
	p.addProducts()
	l := r.startLoad(*rate)
	time.Sleep(lead)
	if !row.first {
		happen()
		m.healthy = r.awaitHealthy()
	}
	time.Sleep(tail)
	if !row.first {
		var refused string
		if m.writes, refused = p.nextAcked(m.ended); m.writes.IsZero() {
			t.Errorf("no product was acknowledged any more; refused were %s", refused)
		}
	}
	saying := r.saying(m.begins, row.says)
	f := judge(l.stop(), m)
	sessions := p.signedIn()
	acked, found := p.stopAdding()
	row.check(t, f, acked, found, sessions)
	return fmt.Sprintf("| %s | %d | %s | %s %s | %s | %s | %d / %d | %d of %d | %s |", row.name, f.requests, row.failed(f), seconds(f.gap), f.gapRoute,
		seconds(f.slowest), seconds(f.recovered), acked, found, sessions, peopleMost, saying)
}

// saying finds the line that names the cause.
func (r *rig) saying(since time.Time, want string) string {
	r.Helper()
	re := regexp.MustCompile(want)
	lines := r.lines(since)
	for _, text := range r.said {
		lines = append(lines, strings.Split(text, "\n")...)
	}
	for _, l := range lines {
		if re.MatchString(l) {
			return "`" + strings.NewReplacer(r.dir, "…", "|", "¦", "`", "'").Replace(l) + "`"
		}
	}
	r.Errorf("nothing in status or log says %q; they say:\n%s", want, strings.Join(lines[max(0, len(lines)-40):], "\n"))
	return "nothing"
}

func (row row) check(t *testing.T, f felt, acked, found, sessions int) {
	t.Helper()
	if n := f.failures() - f.excused; n > 0 {
		t.Errorf("%d requests failed that were not under way when it happened: %s", n, tell(f.failed))
	}
	if f.recovered > goal && !testing.Short() { // the short form runs on machines that are busy with other tests
		t.Errorf("as before only %v after the cause had ended", f.recovered)
	}
	if acked != found {
		t.Errorf("%d products were acknowledged, %d of them found", acked, found)
	}
	if acked == 0 {
		t.Error("no product was acknowledged")
	}
	if sessions != peopleMost {
		t.Errorf("%d of %d sessions hold", sessions, peopleMost)
	}
}

func (row row) failed(f felt) string {
	text := tell(f.failed)
	if f.excused > 0 {
		text += fmt.Sprintf(" (%d under way then)", f.excused)
	}
	return text
}

func seconds(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func (f felt) failures() int {
	n := 0
	for _, k := range f.failed {
		n += k
	}
	return n
}

// tell writes counts as "2 × eof, 5 × reset", and 0 for none.
func tell(counts map[string]int) string {
	var parts []string
	for what, n := range counts {
		parts = append(parts, fmt.Sprintf("%d × %s", n, what))
	}
	if len(parts) == 0 {
		return "0"
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
