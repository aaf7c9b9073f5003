package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// serverEnv makes this binary the server under load. Its value is how long the server stalls, once, with the
// request whose number is in stallAt; without that: never.
const (
	serverEnv = "BENCH_SERVER"
	stallAt   = "BENCH_STALL_AT"
	delayEnv  = "BENCH_DELAY" // name of a distribution of latencies
	// floorEnv makes this binary the least that a client can do, see runFloor: ADDRESS, RATE and DURATION.
	floorEnv = "BENCH_FLOOR"
)

func TestMain(m *testing.M) {
	if stall, ok := os.LookupEnv(serverEnv); ok {
		serve(stall)
		return
	}
	if setting, ok := os.LookupEnv(floorEnv); ok {
		if err := runFloor(setting); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	_ = os.RemoveAll(binaries.dir)
	os.Exit(code)
}

// serve answers until its standard input is closed.
func serve(stallText string) {
	stall, _ := time.ParseDuration(stallText)
	var at int64
	_, _ = fmt.Sscan(os.Getenv(stallAt), &at)
	var seen, until atomic.Int64
	delay := distributions()[os.Getenv(delayEnv)].draw
	if delay == nil {
		delay = func() time.Duration { return 0 }
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		if at > 0 {
			if seen.Add(1) == at {
				until.Store(time.Now().Add(stall).UnixNano())
			}
			time.Sleep(time.Until(time.Unix(0, until.Load())))
		}
		time.Sleep(delay())
		ctx.SetBodyString("ok")
	}}
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(0)
	}()
	fmt.Println(ln.Addr())
	_ = server.Serve(ln)
}

// startServer returns the address of a server in a process of its own.
func startServer(b *testing.B, env ...string) (addr string) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), serverEnv+"=0s"), env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatalf("server: %v", err)
	}
	return strings.TrimSpace(line)
}

// outcome is what a process did.
type outcome struct {
	stdout, stderr string
	cpu            time.Duration
}

func execute(stdin, name string, args ...string) (outcome, error) {
	cmd := exec.Command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	out := outcome{stdout: stdout.String(), stderr: stderr.String()}
	if cmd.ProcessState != nil {
		out.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s", filepath.Base(name), err, out.stderr)
	}
	return out, nil
}

// binaries are built once for all benchmarks.
var binaries struct {
	once   sync.Once
	dir    string
	vegeta error // why there is no vegeta command
	err    error
}

// build builds loadgen and the vegeta command, in the version whose library loadgen uses.
func build(b *testing.B) string {
	b.Helper()
	binaries.once.Do(func() {
		binaries.dir, binaries.err = os.MkdirTemp("", "bench")
		if binaries.err != nil {
			return
		}
		_, binaries.err = execute("", "go", "build", "-o", binaries.dir, "balanceo/loadgen")
		binaries.vegeta = buildVegeta(binaries.dir)
	})
	if binaries.err != nil {
		b.Fatal(binaries.err)
	}
	return binaries.dir
}

const vegetaModule = "github.com/tsenart/vegeta/v12"

// buildVegeta builds the command from its own module: it has dependencies that this one does without.
func buildVegeta(dir string) error {
	version, err := execute("", "go", "list", "-m", "-f", "{{.Version}}", vegetaModule)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "install", vegetaModule+"@"+strings.TrimSpace(version.stdout))
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w: %s", vegetaModule, err, text)
	}
	return nil
}
