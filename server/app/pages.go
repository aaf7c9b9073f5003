package app

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"path"
	"strings"

	"github.com/valyala/fasthttp"
)

//go:embed web
var web embed.FS

// pages is everything that is shown. What is the same for everybody is rendered once.
type pages struct {
	templates *template.Template
	static    map[string]*asset // by file name
	who       identity

	login, signup, failLogin, failSignup                           *page
	unavailable, overloaded, guesses, forbidden, notMeant, failure *page

	home [2][]byte // the main page before the name and after it
}

// identity is which process this is, as its pages say it and JSON tells it.
type identity struct {
	Instance string `json:"instance"`
	PID      int    `json:"pid"`
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

// serve answers with a page that is not.
func (p *pages) serve(ctx *fasthttp.RequestCtx, status int, name string, v view) {
	body, err := p.render(name, v)
	if err != nil {
		panic(err) // the templates are tested with all that a view can hold
	}
	(&page{status, body}).serve(ctx)
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
}

// serveHome answers with the main page, which is the same for everybody but for the name.
func (p *pages) serveHome(ctx *fasthttp.RequestCtx, name string) {
	ctx.Response.Header.SetContentType(contentHTML)
	ctx.Response.Header.SetCanonical(cacheControl, noStore)
	body := append(ctx.Response.SwapBody(nil), p.home[0]...)
	body = append(body, template.HTMLEscapeString(name)...)
	ctx.Response.SwapBody(append(body, p.home[1]...))
}

// view is what the templates see.
type view struct {
	Title  string
	Who    identity
	Script string // file of the page's script; empty: none
	Back   string // where the page goes by itself; empty: nowhere
	Wait   int    // seconds until it does

	Heading, Text, Link, LinkText string // message.html

	Name     string    // home.html
	Facts    facts     // info.html
	Form     account   // login.html, signup.html
	Problems []problem // of the form's fields
}

// Problem is what is wrong with the field; empty: nothing.
func (v view) Problem(field string) string {
	for _, p := range v.Problems {
		if p.Field == field {
			return p.Text
		}
	}
	return ""
}

// Focus is the field that gets the focus: the first wrong one, else the one given.
func (v view) Focus(otherwise string) string {
	if len(v.Problems) > 0 {
		return v.Problems[0].Field
	}
	return otherwise
}

// backWait is how long the pages that go back by themselves stay, in seconds.
const backWait = 3

func renderPages(who identity) (*pages, error) {
	p := &pages{static: map[string]*asset{}, who: who}
	var err error
	if err = p.loadStatic(); err != nil {
		return nil, err
	}
	p.templates, err = template.New("").Funcs(template.FuncMap{"asset": p.assetURL}).ParseFS(web, "web/*.html")
	if err != nil {
		return nil, err
	}
	return p, p.renderFixed()
}

// renderFixed renders the pages that are the same for everybody.
func (p *pages) renderFixed() (err error) {
	render := func(status int, name string, v view) *page {
		body, failed := p.render(name, v)
		err = errors.Join(err, failed)
		return &page{status, body}
	}
	p.login = render(200, "login.html", view{Title: "Ingresar"})
	p.signup = render(200, "signup.html", view{Title: "Crear cuenta"})
	p.failLogin = render(200, "message.html", view{
		Title: "Credenciales incorrectas", Heading: "Credenciales incorrectas!",
		Text: "El e-mail o la contraseña no coinciden.", Back: routeLogin, Wait: backWait,
	})
	p.failSignup = render(200, "message.html", view{
		Title: "No se pudo registrar", Heading: "Ese e-mail ya está registrado!",
		Text: "Elegí otro, o ingresá con tu cuenta.", Back: routeSignup, Wait: backWait,
	})
	message := func(status int, heading, text, link, linkText string) *page {
		return render(status, "message.html", view{Title: heading, Heading: heading, Text: text, Link: link, LinkText: linkText})
	}
	p.unavailable = message(503, "Volvemos enseguida",
		"La base de datos no responde. Probá de nuevo en unos segundos.", routeHome, "Probar de nuevo")
	p.overloaded = message(503, "Demasiados ingresos a la vez",
		"Hay muchas personas ingresando. Probá de nuevo en unos segundos.", routeLogin, "Probar de nuevo")
	p.guesses = message(429, "Demasiados intentos",
		"Hubo demasiadas contraseñas incorrectas desde esta dirección. Probá de nuevo en unos minutos.", routeLogin, "Volver a ingresar")
	p.forbidden = message(403, "Pedido rechazado", "Este formulario llegó desde otro sitio.", routeHome, "Inicio")
	p.notMeant = message(403, "Pedido rechazado", "Para salir, usá el botón de la página.", routeHome, "Inicio")
	const name = "nombre0de0quien0mira"
	home := render(200, "home.html", view{Title: "Productos", Script: "home.js", Name: name})
	before, after, found := bytes.Cut(home.body, []byte(name))
	if !found || bytes.Contains(after, []byte(name)) {
		err = errors.Join(err, errors.New("the main page has to show the name once"))
	}
	p.home = [2][]byte{before, after}
	p.failure = message(500, "Algo salió mal", "El error quedó registrado.", routeHome, "Inicio")
	return err
}

func (p *pages) render(name string, v view) ([]byte, error) {
	var out bytes.Buffer
	v.Who = p.who
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
	a.pages.serve(ctx, fasthttp.StatusNotFound, "message.html", view{
		Title: "No encontrado", Heading: "No encontrado",
		Text: fmt.Sprintf("Ruta %s (Método %s) no implementada", ctx.Path(), ctx.Method()), Link: routeHome, LinkText: "Inicio",
	})
}
