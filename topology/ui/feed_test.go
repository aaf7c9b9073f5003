package ui

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"balanceo/topology/balancer"
	"balanceo/topology/layout"
	"balanceo/topology/logs"
)

// seed is a feed of a layout of two groups, as the seed layout has them.
func seed(tb testing.TB) *feed {
	tb.Helper()
	conf := &balancer.Config{Balancer: "nginx"}
	state := layout.State{Balancer: "nginx", Shares: filepath.Join(tb.TempDir(), "shares.json")}
	for name, ports := range map[string][]int{"node_app": {8080, 8081}, "node_app_api": {8082, 8083, 8084, 8085}} {
		g := balancer.Group{Name: name, Method: balancer.RoundRobin, Zone: true, Promise: &balancer.Promise{Kind: balancer.Exact, Within: 1}}
		for _, port := range ports {
			g.Servers = append(g.Servers, balancer.Server{Addr: addrOf(port), Weight: 1})
			state.Instances = append(state.Instances, layout.Instance{Name: fmt.Sprint("s", port), Port: port})
		}
		conf.Groups = append(conf.Groups, g)
	}
	if err := conf.Save(state.Shares); err != nil {
		tb.Fatal(err)
	}
	return newFeed(Config{State: state}, &loader{})
}

// line is one of a load of 1,000 requests a second, each of which takes a millisecond.
func line(i int, from time.Time) logs.Line {
	at := from.Add(time.Duration(i) * time.Millisecond).UnixMilli()
	group, addr := "node_app", fmt.Sprint("127.0.0.1:", 8080+i%2)
	if i%4 == 0 {
		group, addr = "node_app_api", fmt.Sprint("127.0.0.1:", 8082+i/4%4)
	}
	return logs.Line{Text: logged(fmt.Sprintf("%d.%03d", at/1000, at%1000), group, addr, "200", "0.001", "0.001", 200, "loadgen/20261128-032841-4eb9a0")}
}

// What a line of the log costs from the text to all that is counted of it.
func BenchmarkFeedRead(b *testing.B) {
	f := seed(b)
	var lines []logs.Line
	from := time.Now()
	for i := range 1000 {
		lines = append(lines, line(i, from))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.read(lines[i%len(lines)])
	}
}

// What a tick costs while 1,000 requests come a second and five minutes are kept: one that tells all.
func BenchmarkFeedTick(b *testing.B) {
	f := seed(b)
	from := time.Now().Add(-20 * time.Second)
	for i := range 20_000 {
		f.read(line(i, from))
	}
	page, err := f.hub.join(f.everything)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var u update
		f.fill(&u, true)
		f.hub.send(&u)
		for len(page) > 0 {
			<-page
		}
	}
}
