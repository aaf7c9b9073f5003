package app

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// facts is the body of /info. All but rss is fixed when the process starts.
type facts struct {
	Args       []string `json:"argumentos_entrada"`
	Platform   string   `json:"plataforma"`
	Executable string   `json:"path_ejec"`
	GoVersion  string   `json:"go_version"`
	PID        int      `json:"pid"`
	Folder     string   `json:"carpeta_proyecto"`
	CPUs       int      `json:"numCPUs"`
	Mode       string   `json:"mode"`
	Port       int      `json:"port"`
	RSS        int64    `json:"rss"` // bytes; the last key, so that the rest is encoded once
}

// MB is a number of bytes for people.
func (f facts) MB() string {
	return strings.Replace(strconv.FormatFloat(float64(f.RSS)/1e6, 'f', 1, 64), ".", ",", 1)
}

// secrets are what a command line may hold that is nobody's business: the password of an address, and options of
// it that are passwords, too.
var secrets = regexp.MustCompile(`(://[^/@:\s]*:)[^/\s]*(@)|((?i:password|secret|token)[a-z]*=)[^&\s]+()`) //nolint:gochecknoglobals // constant

func redacted(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = secrets.ReplaceAllString(arg, "${1}${3}xxxxx${2}${4}")
	}
	return out
}

// info answers /info from a body that was encoded in advance, and the memory of the moment.
type info struct {
	facts facts
	json  []byte // up to the memory
	pages *pages
	rss   func() int64

	began      time.Time
	held, when atomic.Int64 // what rss said last, and how long after began that was, in ns
}

// rssShared is for how long requests share one reading of the memory: it costs 2 µs, a sixth of a request, and the
// kernel itself counts less exactly than the memory changes meanwhile.
const rssShared = time.Millisecond

// memory is the process's resident memory at the request.
func (in *info) memory() int64 {
	now := int64(time.Since(in.began))
	if now-in.when.Load() > int64(rssShared) {
		in.held.Store(in.rss())
		in.when.Store(now)
	}
	return in.held.Load()
}

func gatherInfo(cfg Config, p *pages) (*info, error) {
	f := facts{
		Args: redacted(cfg.Args), Platform: runtime.GOOS, GoVersion: runtime.Version(), PID: p.who.PID,
		CPUs: runtime.NumCPU(), Mode: cfg.Mode, Port: cfg.Port,
	}
	var err error
	if f.Executable, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("own executable: %w", err)
	}
	if f.Folder, err = os.Getwd(); err != nil {
		return nil, fmt.Errorf("working folder: %w", err)
	}
	rss, err := openRSS()
	if err != nil {
		return nil, err
	}
	in := &info{facts: f, json: bytes.TrimSuffix(mustJSON(f), []byte("0}")), pages: p, rss: rss, began: time.Now()}
	in.when.Store(-2 * int64(rssShared)) // nothing was read yet
	return in, nil
}

func (in *info) serve(ctx *fasthttp.RequestCtx) {
	if prefersHTML(ctx.Request.Header.Peek(fasthttp.HeaderAccept)) {
		f := in.facts
		f.RSS = in.memory()
		in.pages.serve(ctx, fasthttp.StatusOK, "info.html", view{Title: "Información", Facts: f})
		return
	}
	h := &ctx.Response.Header
	h.SetContentType(contentJSON)
	h.SetCanonical(cacheControl, noStore)
	body := append(ctx.Response.SwapBody(nil), in.json...)
	body = strconv.AppendInt(body, in.memory(), 10)
	ctx.Response.SwapBody(append(body, '}'))
}
