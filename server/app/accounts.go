package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"

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
		a.pages.home.serve(ctx, v.Name)
	}
}

// login answers POST /login. An e-mail that nobody has and a wrong password take as long and look the same.
func (a *App) login(ctx *fasthttp.RequestCtx) {
	if !sameSite(ctx) {
		a.pages.forbidden.serve(ctx)
		return
	}
	form := ctx.PostArgs()
	password := string(form.Peek("password"))
	email := normalEmail(string(form.Peek("email")))
	if !validEmail(email) {
		email = "" // nobody's
	}
	user, err := a.user(email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		a.fail(ctx, err)
		return
	}
	ok, err := a.hasher.matches(ctx, user.Password, password)
	switch {
	case err != nil:
		a.fail(ctx, err)
	case !ok:
		seeOther(ctx, routeFailLogin)
	default:
		a.enter(ctx, user)
	}
}

// signup answers POST /signup.
func (a *App) signup(ctx *fasthttp.RequestCtx) {
	if !sameSite(ctx) {
		a.pages.forbidden.serve(ctx)
		return
	}
	form := ctx.PostArgs()
	given := account{
		Email:    normalEmail(string(form.Peek("email"))),
		Password: string(form.Peek("password")),
		Name:     strings.TrimSpace(string(form.Peek("name"))),
	}
	if problems := given.check(); len(problems) > 0 {
		a.signupAgain(ctx, given, problems)
		return
	}
	// Asked before the password is hashed, which costs more; the index decides between two at once.
	switch _, err := a.user(given.Email); {
	case err == nil:
		seeOther(ctx, routeFailSignup)
		return
	case !errors.Is(err, store.ErrNotFound):
		a.fail(ctx, err)
		return
	}
	hash, err := a.hasher.hash(ctx, given.Password)
	if err != nil {
		a.fail(ctx, err)
		return
	}
	user := store.User{Email: given.Email, Password: hash, Name: given.Name}
	switch err := a.addUser(user); {
	case errors.Is(err, store.ErrEmailTaken):
		seeOther(ctx, routeFailSignup)
	case err != nil:
		a.fail(ctx, err)
	default:
		a.enter(ctx, user)
	}
}

// signupAgain shows the form with what was given, except the password, and what is wrong with it.
func (a *App) signupAgain(ctx *fasthttp.RequestCtx, given account, problems []problem) {
	given.Password = ""
	body, err := a.pages.render("signup.html", view{Title: "Crear cuenta", Form: given, Problems: problems})
	if err != nil {
		a.fail(ctx, err)
		return
	}
	(&page{fasthttp.StatusBadRequest, body}).serve(ctx)
}

// enter signs a user in and goes to the main page.
func (a *App) enter(ctx *fasthttp.RequestCtx, u store.User) {
	if err := a.sessions.begin(ctx, visitor{Email: u.Email, Name: u.Name}); err != nil {
		a.fail(ctx, err)
		return
	}
	seeOther(ctx, routeHome)
}

// logout answers GET /logout. A link on another site does not sign anybody out.
func (a *App) logout(ctx *fasthttp.RequestCtx) {
	if string(ctx.Request.Header.Peek("Sec-Fetch-Site")) == "cross-site" {
		seeOther(ctx, routeHome)
		return
	}
	v, ok, err := a.sessions.visitor(ctx)
	if err == nil && ok {
		err = a.sessions.end(ctx)
	}
	switch {
	case err != nil:
		a.fail(ctx, err)
	case !ok:
		seeOther(ctx, routeLogin)
	default:
		a.pages.goodbye.serve(ctx, v.Name)
	}
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

func (a *App) addUser(u store.User) error {
	if a.cfg.Store == nil {
		return errNoStore
	}
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	return a.cfg.Store.AddUser(ctx, u)
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
