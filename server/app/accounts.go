package app

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"balanceo/server/store"
)

// homePage answers GET /.
func (a *App) homePage(ctx *fasthttp.RequestCtx) {
	v, ok, err := a.sessions.visitor(ctx)
	switch {
	case err != nil:
		a.fail(ctx, err)
	case !ok:
		seeOther(ctx, routeLogin)
	default:
		a.pages.serveHome(ctx, v.Name)
	}
}

// loginPage answers GET /login: after a failed attempt with the e-mail that was given.
func (a *App) loginPage(ctx *fasthttp.RequestCtx) {
	given, again := recall(ctx)
	if !again {
		a.pages.login.serve(ctx)
		return
	}
	a.pages.serve(ctx, fasthttp.StatusOK, "login.html", view{
		Title: "Ingresar", Form: given,
		Problems: []problem{{"password", "El e-mail o la contraseña no coinciden."}},
	})
}

// login answers POST /login. An e-mail that nobody has and a wrong password take as long and look the same.
func (a *App) login(ctx *fasthttp.RequestCtx) {
	if !sameSite(ctx) {
		a.pages.forbidden.serve(ctx)
		return
	}
	given := accountIn(ctx.PostArgs())
	address := clientAddress(ctx)
	try := newGuess(given.Email, address, time.Now())
	if wait, err := a.guesses.refused(try); err != nil || wait > 0 {
		a.refuseGuess(ctx, wait, err)
		return
	}
	user, err := a.user(given.Email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		a.fail(ctx, err)
		return
	}
	ok, wait := false, time.Duration(0)
	err = a.hasher.inTurn(ctx, address, func() (err error) {
		// Asked again: those who came before may have used up what is allowed.
		if wait, err = a.guesses.refused(try); err != nil || wait > 0 {
			return err
		}
		if ok = a.hasher.matches(user.Password, given.Password); ok {
			return nil
		}
		return a.guesses.failed(try)
	})
	if ok {
		err = a.enter(ctx, user)
	}
	switch {
	case err != nil || wait > 0:
		a.refuseGuess(ctx, wait, err)
	case !ok:
		remember(ctx, routeLogin, given)
		seeOther(ctx, routeFailLogin)
	}
}

// refuseGuess answers an attempt that has to wait, or that failed with err.
func (a *App) refuseGuess(ctx *fasthttp.RequestCtx, wait time.Duration, err error) {
	if err != nil {
		a.fail(ctx, err)
		return
	}
	a.pages.guesses.serve(ctx)
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(wait.Seconds()))))
}

// enter signs a user in and goes to the main page.
func (a *App) enter(ctx *fasthttp.RequestCtx, u store.User) error {
	if err := a.sessions.begin(ctx, visitor{Email: u.Email, Name: u.Name}); err != nil {
		return err
	}
	seeOther(ctx, routeHome)
	return nil
}

// logout answers GET and POST /logout.
func (a *App) logout(ctx *fasthttp.RequestCtx) {
	switch meant, elsewhere := meantToSignOut(ctx); {
	case elsewhere:
		seeOther(ctx, routeHome)
		return
	case !meant:
		a.pages.notMeant.serve(ctx)
		return
	}
	v, ok, err := a.sessions.visitor(ctx)
	if err == nil { // also where it is gone already: once this is answered, nobody accepts it
		err = a.sessions.end(ctx)
	}
	switch {
	case err != nil:
		a.fail(ctx, err)
	case !ok:
		seeOther(ctx, routeLogin)
	default:
		a.pages.serve(ctx, fasthttp.StatusOK, "message.html", view{
			Title: "Hasta luego", Heading: "Hasta luego, " + v.Name + "!", Text: "Cerraste tu sesión.",
			Back: routeLogin, Wait: backWait,
		})
	}
}

// meantToSignOut tells whether somebody wants to sign out: by a form of our own pages, or by going to the page.
// What a page merely loads, as the picture of a product, and what a browser fetches in advance does not count.
// Browsers say what they load in Sec-Fetch headers, over https and on loopback; elsewhere an Accept that wants
// pictures and no page gives them away. elsewhere is a link on another site, which leads to the own pages
// instead.
func meantToSignOut(ctx *fasthttp.RequestCtx) (meant, elsewhere bool) {
	peek := func(name string) string { return strings.ToLower(string(ctx.Request.Header.Peek(name))) }
	if ctx.IsPost() {
		return sameSite(ctx), false
	}
	for _, header := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if strings.Contains(peek(header), "prefetch") || strings.Contains(peek(header), "preview") {
			return false, false
		}
	}
	dest, mode, accept := peek("Sec-Fetch-Dest"), peek("Sec-Fetch-Mode"), peek(fasthttp.HeaderAccept)
	if ctx.IsHead() || dest != "" && dest != "document" || mode != "" && mode != "navigate" ||
		strings.Contains(accept, "image/") && !strings.Contains(accept, "text/html") {
		return false, false
	}
	site := peek("Sec-Fetch-Site")
	return true, site == "cross-site"
}

// checkAuth answers GET /checkAuth.
func (a *App) checkAuth(ctx *fasthttp.RequestCtx) {
	_, ok, err := a.sessions.visitor(ctx)
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	if err != nil {
		busy(ctx)
		jsonError(ctx, fasthttp.StatusServiceUnavailable, "the database does not answer", nil)
		return
	}
	writeJSON(ctx, fasthttp.StatusOK, map[string]bool{"auth": ok})
}

func (a *App) user(email string) (store.User, error) {
	if a.cfg.Store == nil {
		return store.User{}, errNoStore
	}
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	return a.cfg.Store.User(ctx, email)
}

// fail answers with the page for err. What was not foreseen is logged.
func (a *App) fail(ctx *fasthttp.RequestCtx, err error) {
	switch {
	case errors.Is(err, errOverloaded):
		busy(ctx)
		a.pages.overloaded.serve(ctx)
	case errors.Is(err, store.ErrUnavailable):
		busy(ctx)
		a.pages.unavailable.serve(ctx)
	default:
		slog.Error("request failed", "method", string(ctx.Method()), "path", string(ctx.Path()), "error", err)
		a.pages.failure.serve(ctx)
	}
}

// seeOther redirects with 302 and a relative address, which holds behind any proxy.
func seeOther(ctx *fasthttp.RequestCtx, to string) {
	ctx.SetStatusCode(fasthttp.StatusFound)
	ctx.Response.Header.Set(fasthttp.HeaderLocation, to)
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
}

// sameSite tells whether a form comes from one of the application's own pages. Browsers say so in
// Sec-Fetch-Site, older ones in Origin. A client that sends neither is no browser, so that no page of another
// site can use it for somebody who is signed in.
func sameSite(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	switch site := h.Peek("Sec-Fetch-Site"); string(site) {
	case "same-origin", "none":
		return true
	case "":
		return ownOrigin(ctx)
	}
	return false
}

// ownOrigin tells whether Origin, if there is one, names the host that was asked.
func ownOrigin(ctx *fasthttp.RequestCtx) bool {
	origin := string(ctx.Request.Header.Peek(fasthttp.HeaderOrigin))
	if origin == "" {
		return true
	}
	_, host, ok := strings.Cut(origin, "://")
	return ok && host != "" && strings.EqualFold(host, string(ctx.Host()))
}
