//go:build e2e

package ui_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

var film = flag.String("film", "", "where the moving picture of a run is to be written")

// frame is what the page was told in one of its updates.
type frame struct {
	at      float64 // seconds since the beginning
	Live    map[string]struct{ Share, Rate float64 }
	Samples []struct {
		Via []string `json:"via"`
	}
	Marks []struct{ Kind, Part, Text string }
}

// TestE2EFilm runs a layout, kills a server, and makes a moving picture of what the live page was told meanwhile.
func TestE2EFilm(t *testing.T) {
	if *film == "" {
		t.Skip("-film says where the picture is to be written")
	}
	page, _ := demo(t, "--rate", "300")
	resp, err := http.Get(page + "api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, 1<<20)
	var reel reel
	var begun time.Time
	for in.Scan() {
		text, ok := strings.CutPrefix(in.Text(), "data: ")
		if !ok {
			continue
		}
		var u struct {
			frame
			Groups []filmedGroup
		}
		if err := json.Unmarshal([]byte(text), &u); err != nil {
			t.Fatal(err)
		}
		if len(u.Groups) > 0 {
			reel.groups = u.Groups
		}
		rate := 0.0
		for _, s := range u.Live {
			rate += s.Rate
		}
		if begun.IsZero() {
			if rate > 290 { // under way
				begun = time.Now()
			}
			continue
		}
		u.at = time.Since(begun).Seconds()
		reel.frames = append(reel.frames, u.frame)
		if len(reel.frames) == 12 {
			body := `{"verb":"kill","names":["serverB"],"for":"5s"}`
			answer, err := http.Post(page+"api/actions", "application/json", strings.NewReader(body))
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("kill: %v, %v", answer, err)
			}
			answer.Body.Close()
			reel.killed = time.Since(begun).Seconds()
		}
		if u.at > 14 {
			break
		}
	}
	reel.date = time.Now().Format("2 January 2006")
	if err := os.WriteFile(*film, []byte(reel.svg()), 0o644); err != nil {
		t.Fatal(err)
	}
}

type filmedGroup struct {
	Name, Method string
	Servers      []struct{ Addr string }
	Instances    []string
	Expected     []float64
}

// reel is what was seen of a run.
type reel struct {
	groups []filmedGroup
	frames []frame
	killed float64 // seconds
	date   string
}

var filmColours = []string{"#0072b2", "#56b4e9", "#009e73", "#e69f00", "#cc79a7", "#6a4fa3"}

// Places in the picture.
const (
	filmWidth, filmHeight          = 860, 392
	clientX, frontX, groupX, rowX  = 96, 170, 306, 470
	barX, barWidth, rowTop, rowGap = 580, 190, 44, 50
)

func (r *reel) svg() string {
	var b strings.Builder
	whole := r.frames[len(r.frames)-1].at
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui,sans-serif" font-size="15">`, filmWidth, filmHeight)
	b.WriteString("\n<title>A server dies behind nginx, and comes back: the shares of each, from a real run</title>\n")
	fmt.Fprintf(&b, `<style>.n{fill:#fff;stroke:#c4ccd6;stroke-width:1.5}text{fill:#12171e}.m{fill:#55606e;font-size:12.5px}.b{font-weight:600}.l{fill:none;stroke:#c4ccd6;stroke-width:2}`+
		`.t{fill:#dfe4ea}.e{fill:#12171e}.g{fill:#f5f7f9}</style>`+"\n"+`<rect class="g" width="%d" height="%d" rx="10"/>`+"\n", filmWidth, filmHeight)
	ways, boxes := r.still(&b)
	r.dots(&b, ways, whole) // behind the boxes
	b.WriteString(boxes)
	row := 0
	for gi, g := range r.groups {
		for i, s := range g.Servers {
			r.bar(&b, row, gi, s.Addr, g.Instances[i], g.Expected[i], whole)
			row++
		}
	}
	fmt.Fprintf(&b, `<text class="m" x="20" y="%d">%.0f s of the seed layout at 300 requests/s, of which some are shown; shares by nginx's access log; %s</text>`, filmHeight-14, whole, r.date)
	fmt.Fprintf(&b, "\n"+`<text class="b" x="20" y="30" opacity="0">$ topology kill serverB --for 5s%s</text>`, steps("opacity", whole, []float64{0, r.killed, min(whole, r.killed+5)}, []string{"0", "1", "0"}))
	b.WriteString("\n</svg>\n")
	return b.String()
}

func rowY(row, group int) int { return rowTop + row*rowGap + group*16 }

// still draws the lines, and returns the way to each server and the boxes on it.
func (r *reel) still(b *strings.Builder) (ways map[string]string, boxes string) {
	ways = map[string]string{}
	var over strings.Builder
	row := 0
	var middles []int
	for gi, g := range r.groups {
		first := rowY(row, gi)
		row += len(g.Servers)
		middles = append(middles, (first+rowY(row-1, gi))/2+18)
	}
	centre := (middles[0] + middles[len(middles)-1]) / 2
	row = 0
	for gi, g := range r.groups {
		up := fmt.Sprintf("M%d %dL%d %dC%d %d %d %d %d %d", clientX, centre, frontX+60, centre, frontX+90, centre, groupX-34, middles[gi], groupX-4, middles[gi])
		fmt.Fprintf(b, `<path class="l" d="%s"/>`, up)
		for _, s := range g.Servers {
			y := rowY(row, gi) + 18
			leg := fmt.Sprintf("M%d %dC%d %d %d %d %d %d", groupX+130, middles[gi], groupX+146, middles[gi], rowX-16, y, rowX, y)
			fmt.Fprintf(b, `<path class="l" d="%s"/>`, leg)
			ways[s.Addr] = up + "L" + strings.TrimPrefix(leg, "M")
			row++
		}
		fmt.Fprintf(&over, `<rect class="n" x="%d" y="%d" width="134" height="46" rx="8"/><text class="b" x="%d" y="%d">%s</text><text class="m" x="%d" y="%d">%s</text>`+"\n",
			groupX-4, middles[gi]-23, groupX+6, middles[gi]-3, g.Name, groupX+6, middles[gi]+14, g.Method)
	}
	for _, n := range []struct {
		x         int
		name, sub string
	}{{16, "Clients", "loadgen"}, {frontX - 12, "nginx", ""}} {
		fmt.Fprintf(&over, `<rect class="n" x="%d" y="%d" width="78" height="46" rx="8"/><text class="b" x="%d" y="%d">%s</text><text class="m" x="%d" y="%d">%s</text>`+"\n",
			n.x, centre-23, n.x+10, centre+map[bool]int{true: 5, false: -3}[n.sub == ""], n.name, n.x+10, centre+14, n.sub)
	}
	return ways, over.String()
}

// steps is an animation by jumps: at each time the attribute takes its value.
func steps(attribute string, whole float64, times []float64, values []string) string {
	at := make([]string, len(times))
	for i, t := range times {
		at[i] = fmt.Sprintf("%.3f", min(1, t/whole))
	}
	return fmt.Sprintf(`<animate attributeName="%s" calcMode="discrete" dur="%.1fs" repeatCount="indefinite" keyTimes="%s" values="%s"/>`,
		attribute, whole, strings.Join(at, ";"), strings.Join(values, ";"))
}

// bar is one server: its name, a bar with its share, a mark where that is to be, and the share in figures.
func (r *reel) bar(b *strings.Builder, row, group int, addr, name string, expected, whole float64) {
	y := rowY(row, group)
	fmt.Fprintf(b, `<rect class="n" x="%d" y="%d" width="370" height="38" rx="7"/><rect x="%d" y="%d" width="6" height="38" rx="3" fill="%s"/><text class="b" x="%d" y="%d">%s</text>`,
		rowX, y, rowX, y, filmColours[row%6], rowX+18, y+24, name)
	fmt.Fprintf(b, `<rect class="t" x="%d" y="%d" width="%d" height="10" rx="5"/>`, barX, y+14, barWidth)
	times, widths, texts := []float64{}, []string{}, map[string][][2]float64{}
	last := ""
	for i, f := range r.frames {
		share := f.Live[addr].Share
		times, widths = append(times, f.at), append(widths, fmt.Sprintf("%.1f", max(0, share)*barWidth))
		text := fmt.Sprintf("%.0f %%", share*100)
		until := whole
		if i+1 < len(r.frames) {
			until = r.frames[i+1].at
		}
		if spans := texts[text]; text == last {
			spans[len(spans)-1][1] = until
		} else {
			texts[text] = append(spans, [2]float64{f.at, until})
		}
		last = text
	}
	times[0] = 0
	fmt.Fprintf(b, `<rect x="%d" y="%d" height="10" rx="5" width="%s" fill="%s">%s</rect>`, barX, y+14, widths[0], filmColours[row%6], steps("width", whole, times, widths))
	fmt.Fprintf(b, `<rect class="e" x="%.1f" y="%d" width="3" height="18"/>`, barX+expected*barWidth-1.5, y+10)
	first := fmt.Sprintf("%.0f %%", r.frames[0].Live[addr].Share*100)
	for text, spans := range texts {
		on, values := []float64{0}, []string{"0"}
		for _, s := range spans {
			if s[0] <= r.frames[0].at {
				on, values = on[:0], values[:0]
				s[0] = 0
			}
			on, values = append(on, s[0]), append(values, "1")
			if s[1] < whole {
				on, values = append(on, s[1]), append(values, "0")
			}
		}
		shown := map[bool]string{true: "1", false: "0"}[text == first]
		fmt.Fprintf(b, `<text class="b" x="%d" y="%d" text-anchor="end" opacity="%s">%s%s</text>`, rowX+358, y+24, shown, text, steps("opacity", whole, on, values))
	}
	b.WriteString("\n")
}

// dots are the sampled requests, each on its way once.
func (r *reel) dots(b *strings.Builder, ways map[string]string, whole float64) {
	colour, row := map[string]string{}, 0
	for _, g := range r.groups {
		for _, s := range g.Servers {
			colour[s.Addr] = filmColours[row%6]
			row++
		}
	}
	for _, f := range r.frames {
		for i, s := range f.Samples {
			if i >= 4 || len(s.Via) == 0 { // a picture of some kilobytes
				break
			}
			addr := s.Via[len(s.Via)-1]
			from := f.at + float64(i)*0.06
			r.dot(b, ways[addr], colour[addr], false, from, from+1.1, whole)
			if len(s.Via) > 1 {
				r.dot(b, ways[s.Via[0]], "#b26a00", true, from-0.5, from+0.5, whole)
			}
		}
	}
}

func (r *reel) dot(b *strings.Builder, way, colour string, hollow bool, from, to, whole float64) {
	if from < 0 || to > whole {
		return
	}
	look := `fill="` + colour + `"`
	if hollow {
		look = `fill="#fff" stroke="` + colour + `" stroke-width="2"`
	}
	fmt.Fprintf(b, `<circle r="4" %s opacity="0">%s<animateMotion dur="%.1fs" repeatCount="indefinite" calcMode="linear" keyPoints="0;0;1;1" keyTimes="0;%.4f;%.4f;1" path="%s"/></circle>`+"\n",
		look, steps("opacity", whole, []float64{0, from, to}, []string{"0", "1", "0"}), whole, from/whole, to/whole, way)
}
