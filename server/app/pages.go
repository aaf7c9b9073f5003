package app

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"mime"
	"path"
	"strings"

	"github.com/valyala/fasthttp"
)

//go:embed web
var web embed.FS

// pages is everything that is shown, rendered once. What differs per request is filled into places that the
// rendering left open.
type pages struct {
	templates *template.Template
	static    map[string]*asset // by file name

	login, signup, failLogin, failSignup *page
	unavailable, overloaded, forbidden   *page
	failure                              *page

	home     *openPage // name
	goodbye  *openPage // name
	notFound *openPage // path, method
}

// page is a page that is the same for everybody.
type page struct {
	status int
	body   []byte
}

func (p *page) serve(ctx *fasthttp.RequestCtx) {
	ctx.SetStatusCode(p.status)
	ctx.Response.Header.SetContentType(contentHTML)
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-cache")
	ctx.Response.SetBodyRaw(p.body)
}

// openPage is a page with places to be filled per request, each in the text of an element.
type openPage struct {
	status int
	parts  [][]byte // one more than places
}

func (p *openPage) serve(ctx *fasthttp.RequestCtx, values ...string) {
	ctx.SetStatusCode(p.status)
	ctx.Response.Header.SetContentType(contentHTML)
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	ctx.Response.AppendBody(p.parts[0])
	for i, part := range p.parts[1:] {
		ctx.Response.AppendBodyString(html.EscapeString(values[i]))
		ctx.Response.AppendBody(part)
	}
}

// place is what stands for the i-th value while an openPage is rendered.
func place(i int) string { return fmt.Sprintf("place%dqzv", i) }

// view is what the templates see.
type view struct {
	Title  string
	Script string // file of the page's script; empty: none
	Back   string // where the page goes by itself; empty: nowhere
	Wait   int    // seconds until it does

	Heading, Text, Link, LinkText string // message.html

	Name     string    // home.html
	Facts    facts     // info.html
	Form     account   // signup.html
	Problems []problem // signup.html
}

// Invalid tells whether a problem is with the field.
func (v view) Invalid(field string) bool {
	for _, p := range v.Problems {
		if p.Field == field {
			return true
		}
	}
	return false
}

// backWait is how long the pages that go back by themselves stay, in seconds.
const backWait = 3

func renderPages() (*pages, error) {
	p := &pages{static: map[string]*asset{}}
	var err error
	if err = p.loadStatic(); err != nil {
		return nil, err
	}
	p.templates, err = template.New("").Funcs(template.FuncMap{"asset": p.assetURL}).ParseFS(web, "web/*.html")
	if err != nil {
		return nil, err
	}
	if err := p.renderFixed(); err != nil {
		return nil, err
	}
	return p, p.renderOpen()
}

// renderFixed renders the pages that are the same for everybody.
func (p *pages) renderFixed() error {
	for _, s := range []struct {
		into   **page
		status int
		name   string
		view   view
	}{
		{&p.login, 200, "login.html", view{Title: "Ingresar"}},
		{&p.signup, 200, "signup.html", view{Title: "Crear cuenta"}},
		{&p.failLogin, 200, "message.html", view{
			Title: "Credenciales incorrectas", Heading: "Credenciales incorrectas!",
			Text: "El e-mail o la contraseña no coinciden.", Back: routeLogin, Wait: backWait,
		}},
		{&p.failSignup, 200, "message.html", view{
			Title: "No se pudo registrar", Heading: "Ese e-mail ya está registrado!",
			Text: "Elegí otro, o ingresá con tu cuenta.", Back: routeSignup, Wait: backWait,
		}},
		{&p.unavailable, 503, "message.html", view{
			Title: "Servicio no disponible", Heading: "Volvemos enseguida",
			Text: "La base de datos no responde. Probá de nuevo en unos segundos.", Link: routeHome, LinkText: "Probar de nuevo",
		}},
		{&p.overloaded, 503, "message.html", view{
			Title: "Demasiados ingresos a la vez", Heading: "Demasiados ingresos a la vez",
			Text: "Hay muchas personas ingresando. Probá de nuevo en unos segundos.", Link: routeLogin, LinkText: "Probar de nuevo",
		}},
		{&p.forbidden, 403, "message.html", view{
			Title: "Pedido rechazado", Heading: "Pedido rechazado",
			Text: "Este formulario llegó desde otro sitio.", Link: routeHome, LinkText: "Inicio",
		}},
		{&p.failure, 500, "message.html", view{
			Title: "Error", Heading: "Algo salió mal",
			Text: "El error quedó registrado.", Link: routeHome, LinkText: "Inicio",
		}},
	} {
		body, err := p.render(s.name, s.view)
		if err != nil {
			return err
		}
		*s.into = &page{s.status, body}
	}
	return nil
}

// renderOpen renders the pages with places.
func (p *pages) renderOpen() error {
	for _, s := range []struct {
		into   **openPage
		status int
		name   string
		view   view
		places int
	}{
		{&p.home, 200, "home.html", view{Title: "Productos", Script: "home.js", Name: place(0)}, 1},
		{&p.goodbye, 200, "message.html", view{
			Title: "Hasta luego", Heading: "Hasta luego, " + place(0) + "!",
			Text: "Cerraste tu sesión.", Back: routeLogin, Wait: backWait,
		}, 1},
		{&p.notFound, 404, "message.html", view{
			Title: "No encontrado", Heading: "No encontrado",
			Text: "Ruta " + place(0) + " (Método " + place(1) + ") no implementada", Link: routeHome, LinkText: "Inicio",
		}, 2},
	} {
		body, err := p.render(s.name, s.view)
		if err != nil {
			return err
		}
		open := &openPage{status: s.status}
		for i := range s.places {
			before, after, ok := bytes.Cut(body, []byte(place(i)))
			if !ok {
				return fmt.Errorf("template %q has no place for value %d", s.name, i)
			}
			open.parts = append(open.parts, before)
			body = after
		}
		open.parts = append(open.parts, body)
		*s.into = open
	}
	return nil
}

func (p *pages) render(name string, v view) ([]byte, error) {
	var out bytes.Buffer
	if err := p.templates.ExecuteTemplate(&out, name, v); err != nil {
		return nil, fmt.Errorf("template %q: %w", name, err)
	}
	return out.Bytes(), nil
}

// asset is an embedded file that pages refer to. Its address holds a part of its digest, so that browsers may
// keep it for good.
type asset struct {
	body []byte
	kind string
	tag  string // of the content
	etag string
}

func (p *pages) loadStatic() error {
	files, err := fs.ReadDir(web, "web")
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".html") {
			continue
		}
		body, err := web.ReadFile("web/" + f.Name())
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		tag := hex.EncodeToString(sum[:6])
		kind := mime.TypeByExtension(path.Ext(f.Name()))
		if path.Ext(f.Name()) == ".js" {
			kind = "text/javascript; charset=utf-8" // the system's table may say otherwise
		}
		p.static[f.Name()] = &asset{body: body, kind: kind, tag: tag, etag: `"` + tag + `"`}
	}
	return nil
}

// assetURL is the address of the embedded file name, for templates.
func (p *pages) assetURL(name string) (string, error) {
	a, ok := p.static[name]
	if !ok {
		return "", fmt.Errorf("no embedded file %q", name)
	}
	return routeStatic + "/" + name + "?v=" + a.tag, nil
}

func (a *asset) serve(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set(fasthttp.HeaderETag, a.etag)
	if string(ctx.QueryArgs().Peek("v")) == a.tag {
		h.Set(fasthttp.HeaderCacheControl, "public, max-age=31536000, immutable")
	} else {
		h.Set(fasthttp.HeaderCacheControl, "no-cache")
	}
	if string(ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)) == a.etag {
		ctx.NotModified()
		h.Set(fasthttp.HeaderETag, a.etag)
		return
	}
	h.SetContentType(a.kind)
	ctx.Response.SetBodyRaw(a.body)
}

func (a *App) notFound(ctx *fasthttp.RequestCtx) {
	a.pages.notFound.serve(ctx, string(ctx.Path()), string(ctx.Method()))
}
