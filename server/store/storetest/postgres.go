package storetest

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"balanceo/topology/ports"
)

// envPostgres has the address of a PostgreSQL. Where it is set, each database of the tests is one in there instead of a
// folder: what was one folder is one database.
const envPostgres = "STORETEST_POSTGRES"

// postgres is the address of the database in server that stands for a folder; empty: there is no server, and the folder
// is the database. It is made where it is missing.
func postgres(server, dir string) (string, error) {
	if server == "" {
		return "", nil
	}
	name := fnv.New64a()
	_, _ = name.Write([]byte(dir))
	cfg, err := pgx.ParseConfig(server)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	database := fmt.Sprintf("test_%x", name.Sum(nil))
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&exists); err != nil {
		return "", err
	}
	if !exists {
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+database+" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("postgres://%s@%s/%s", cfg.User, "127.0.0.1:"+strconv.Itoa(int(cfg.Port)), database), nil
}

// OnPostgres runs the named tests of this test binary once more, with databases in a PostgreSQL. Where there is none on
// this machine, it is skipped.
func OnPostgres(t *testing.T, tests string) {
	if os.Getenv(envPostgres) != "" {
		t.Skip("this is on PostgreSQL already")
	}
	address := StartPostgres(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", tests, "-test.count=1", "-test.v=true", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), envPostgres+"="+address)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("on PostgreSQL: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// postgresPrograms finds the folder with the programs of the newest PostgreSQL.
func postgresPrograms() (string, bool) {
	if found, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(found), true
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian
	if len(found) == 0 {
		return "", false
	}
	return filepath.Dir(slices.Max(found)), true
}

// UsePostgres gives a test databases in a PostgreSQL, and returns the id of that process, whose children work for it.
func UsePostgres(t testing.TB) (pid int) {
	t.Helper()
	address, pid := startPostgres(t)
	t.Setenv(envPostgres, address)
	return pid
}

// StartPostgres runs a PostgreSQL until the test ends and returns its address.
func StartPostgres(t testing.TB) string {
	t.Helper()
	address, _ := startPostgres(t)
	return address
}

func startPostgres(t testing.TB) (address string, pid int) {
	t.Helper()
	programs, ok := postgresPrograms()
	if !ok {
		t.Skip("no PostgreSQL on this machine; .ci/need postgres installs it")
	}
	dir, err := os.MkdirTemp("", "postgres-*") // not the test's: its owner may be another
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // it refuses to run as root
		attr.Credential = nobody(t, dir)
	}
	data := filepath.Join(dir, "data")
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), filepath.Join(programs, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, attr
		return cmd
	}
	init := run("initdb", "-D", data, "-U", "test", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePort(t)
	server := run("postgres", "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", dir, "-c", "synchronous_commit=off", "-c", "max_connections=400")
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait()
	})
	address = fmt.Sprintf("postgres://test@127.0.0.1:%d/postgres", port)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), address)
		if err == nil {
			_ = conn.Close(context.Background())
			return address, server.Process.Pid
		}
		if time.Now().After(deadline) {
			t.Fatalf("PostgreSQL does not answer: %v", err)
		}
	}
}

// nobody gives the folder to a user who is not root.
func nobody(t testing.TB, dir string) *syscall.Credential {
	t.Helper()
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
