//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"balanceo/topology/layout"
)

// layoutUp starts the whole layout on free ports, with nginx, and returns where nginx answers. It lives as
// long as its command reads, which is as long as the test.
func layoutUp(t testing.TB) string {
	t.Helper()
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "balanceo/server", "balanceo/topology").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(filepath.Join(bin, "topology"), "run", "--free-ports", "--run-dir", t.TempDir(), "--",
		"sh", "-c", `echo "$BALANCEO_TARGET"; cat`)
	cmd.Dir = "../.." // where nginx.conf lies
	cmd.Env = append(os.Environ(), "MONGO_URL=")
	var said strings.Builder
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	t.Cleanup(func() {
		stdin.Close()
		kill := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil {
			t.Errorf("topology run: %v\n%s", err, said.String())
		}
	})
	target, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("topology run names no target: %v\n%s", err, said.String())
	}
	return "http://127.0.0.1" + strings.TrimSpace(target)
}

// siteServers asks through nginx who serves the pages.
func siteServers(t testing.TB, url string) []string {
	t.Helper()
	seen := map[string]bool{}
	var servers []string
	for range 6 {
		resp, err := http.Get(url + "/info")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if addr := resp.Header.Get(layout.HeaderUpstream); !seen[addr] {
			seen[addr] = true
			servers = append(servers, addr)
		}
	}
	return servers
}

// One person looks through nginx, the others each at one of the servers behind it: every product reaches
// everybody, once, and a person who is signed in on one is signed in on all.
func TestE2ELayout(t *testing.T) {
	front := layoutUp(t)
	servers := siteServers(t, front)
	if len(servers) != 2 {
		t.Fatalf("nginx sends /info to %v, want two servers", servers)
	}
	browser := launch(t)
	urls := []string{front, "http://" + servers[0], "http://" + servers[1]}
	people := make([]*person, len(urls))
	for i, url := range urls {
		people[i] = newPerson(t, browser, fmt.Sprintf("Persona %d", i))
		people[i].signupAt(url, fmt.Sprintf("persona%d@example.com", i))
	}
	for round := range 3 {
		for i, sender := range people {
			title := fmt.Sprintf("Producto %d de %d", round, i)
			sender.addAt(urls[i], title, "10")
			for _, receiver := range people {
				receiver.until("the product of "+sender.name, shows(title))
			}
		}
	}
	for range 9 {
		people[0].open(front + "/")
		people[0].untilText(".who", people[0].name)
		people[0].until("the whole list", "document.querySelectorAll('#products li').length === 9")
	}
	for _, p := range people {
		p.clean()
	}
}
