package main

import (
	"database/sql"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver that holds up the writes
)

// Servers that are started by hand in one folder share its embedded database, which leaves some seconds after
// the last of them.
func TestLoneServersShareOneDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lone := func(args ...string) *proc {
		cmd := command(t, args...)
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, "MONGO_URL=")
		return startOn(t, listen(t), cmd)
	}
	one, two := lone(), lone("-m", "CLUSTER", "-w", "2")
	t.Cleanup(func() {
		eventually(t, "the database leaves", func() bool { return len(databases(dir)) == 0 })
	})
	if got := databases(dir); len(got) != 1 {
		t.Errorf("database processes of the folder: %v, want one", got)
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	form := url.Values{"email": {"ana@example.com"}, "password": {"correct-horse"}, "name": {"Ana"}}
	res, err := client.PostForm("http://"+one.addr+"/signup", form)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	for range 10 { // cookies know no ports: the session of one server is good for the other
		_, body, err := ask(client, http.MethodGet, "http://"+two.addr+"/")
		if err != nil || !strings.Contains(body, "Ana") {
			t.Fatalf("GET / of the other server: %v, %.200q; want the name in it", err, body)
		}
	}
	for _, p := range []*proc{one, two} {
		p.signal(syscall.SIGTERM)
		if code := p.end(); code != 0 {
			t.Errorf("exit code = %d, want 0", code)
		}
	}
}

// databases are the database processes whose command line names the folder.
func databases(dir string) (pids []string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && strings.Contains(string(line), "\x00database\x00") && strings.Contains(string(line), dir) {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

func TestDatabaseCommand(t *testing.T) {
	t.Parallel()
	p := startOn(t, listen(t), command(t, "database", "--listen", "127.0.0.1:0", "--dir", "data"))
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Errorf("exit code after TERM = %d, want 0; log:\n%s", code, p.log)
	}
	p = startOn(t, listen(t), command(t, "database", "--listen", "127.0.0.1:0", "--dir", "data", "--idle-exit", "10ms"))
	if code := p.end(); code != 0 {
		t.Errorf("exit code when nobody uses it = %d, want 0; log:\n%s", code, p.log)
	}
}

// A database that answers but takes no writes is no reason to take a server out of service; the server says so.
func TestDatabaseThatRefusesWritesIsTold(t *testing.T) {
	t.Parallel()
	db := command(t, "database", "--listen", "127.0.0.1:0", "--dir", "data")
	startOn(t, listen(t), db)
	address, err := os.ReadFile(filepath.Join(db.Dir, "data", "address"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "-m", "FORK")
	cmd.Env = append(cmd.Env, "MONGO_URL="+string(address))
	p := startOn(t, listen(t), cmd)
	says := func(state string) func() bool {
		return func() bool {
			res, body := p.get("/healthz")
			if res.StatusCode != http.StatusOK {
				t.Fatalf("/healthz: %s %s", res.Status, body)
			}
			return strings.Contains(body, `"database":"`+state+`"`) &&
				metrics(t, p).total("balanceo_database_state", "state", state) == 1
		}
	}
	eventually(t, "the database is available", says("available"))
	lock, err := sql.Open("sqlite", filepath.Join(db.Dir, "data", "balanceo.sqlite")+"?_pragma=busy_timeout(30000)")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	lock.SetMaxOpenConns(1)
	if _, err := lock.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the database refuses writes", says("refuses writes"))
	if _, err := lock.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the database is available again", says("available"))
}
