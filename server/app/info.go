package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"

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

// rssMark stands for the memory while the body is encoded in advance.
const rssMark = 9007199254740991

// info answers /info from two halves that were encoded in advance and the memory of the moment.
type info struct {
	json, html [2][]byte
	rss        func() int64
}

func gatherInfo(cfg Config, p *pages) (*info, error) {
	f := facts{
		Args: cfg.Args, Platform: runtime.GOOS, GoVersion: runtime.Version(), PID: os.Getpid(),
		CPUs: runtime.NumCPU(), Mode: cfg.Mode, Port: cfg.Port, RSS: rssMark,
	}
	if f.Args == nil {
		f.Args = []string{}
	}
	var err error
	if f.Executable, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("own executable: %w", err)
	}
	if f.Folder, err = os.Getwd(); err != nil {
		return nil, fmt.Errorf("working folder: %w", err)
	}
	body, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	page, err := p.render("info.html", view{Title: "Información", Facts: f})
	if err != nil {
		return nil, err
	}
	rss, err := openRSS()
	if err != nil {
		return nil, err
	}
	in := &info{rss: rss}
	mark := []byte(strconv.Itoa(rssMark))
	for _, half := range []struct {
		whole []byte
		into  *[2][]byte
	}{{body, &in.json}, {page, &in.html}} {
		before, after, ok := bytes.Cut(half.whole, mark)
		if !ok {
			return nil, fmt.Errorf("info: no place for the memory in %q", half.whole)
		}
		half.into[0], half.into[1] = before, after
	}
	return in, nil
}

func (in *info) serve(ctx *fasthttp.RequestCtx) {
	halves, kind := &in.json, contentJSON
	if prefersHTML(ctx.Request.Header.Peek(fasthttp.HeaderAccept)) {
		halves, kind = &in.html, contentHTML
	}
	h := &ctx.Response.Header
	h.SetContentType(kind)
	h.Set(fasthttp.HeaderVary, fasthttp.HeaderAccept)
	h.Set(fasthttp.HeaderCacheControl, "no-store")
	ctx.Response.AppendBody(halves[0])
	var digits [20]byte
	ctx.Response.AppendBody(strconv.AppendInt(digits[:0], in.rss(), 10))
	ctx.Response.AppendBody(halves[1])
}
