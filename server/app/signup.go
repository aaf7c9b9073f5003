package app

import (
	"context"
	"errors"

	"github.com/valyala/fasthttp"

	"balanceo/server/store"
)

// signupPage answers GET /signup: with what was given after an e-mail was taken.
func (a *App) signupPage(ctx *fasthttp.RequestCtx) {
	given, again := recall(ctx)
	if !again {
		a.pages.signup.serve(ctx)
		return
	}
	a.pages.serve(ctx, fasthttp.StatusOK, "signup.html", view{
		Title: "Crear cuenta", Form: given,
		Problems: []problem{{"email", "Ese e-mail ya está registrado: elegí otro, o ingresá con tu cuenta."}},
	})
}

// signup answers POST /signup.
func (a *App) signup(ctx *fasthttp.RequestCtx) {
	if !sameSite(ctx) {
		a.pages.forbidden.serve(ctx)
		return
	}
	given := accountIn(ctx.PostArgs())
	if problems := given.check(); len(problems) > 0 {
		given.Password = ""
		a.pages.serve(ctx, fasthttp.StatusBadRequest, "signup.html", view{Title: "Crear cuenta", Form: given, Problems: problems})
		return
	}
	// Of several at once with one e-mail only one is tried here; the others learn from it that the e-mail is
	// taken. Between processes the index decides.
	first := false
	made, err, _ := a.signups.Do(given.Email, func() (any, error) {
		first = true
		return a.register(ctx, given)
	})
	taken := errors.Is(err, store.ErrEmailTaken) || err == nil && !first
	if err == nil && first {
		err = a.enter(ctx, made.(store.User)) //nolint:forcetypeassert // what register returned
	}
	switch {
	case taken && unsure(ctx, given):
		a.login(ctx) // to what may be the own account, under all that holds for signing in
	case taken:
		remember(ctx, routeSignup, given)
		seeOther(ctx, routeFailSignup)
	case errors.Is(err, store.ErrUnavailable):
		a.unsureSignup(ctx, given)
	case err != nil:
		a.fail(ctx, err)
	}
}

// unsureSignup answers a sign-up during which the database did not answer: it may have saved the account, or do so when
// it goes on, and then the e-mail is taken by who signs up again.
func (a *App) unsureSignup(ctx *fasthttp.RequestCtx, given account) {
	rememberUnsure(ctx, given)
	busy(ctx)
	given.Password = ""
	a.pages.serve(ctx, fasthttp.StatusServiceUnavailable, "signup.html", view{Title: "Crear cuenta", Form: given, Problems: []problem{
		{"form", "La base de datos no responde, y no se sabe si tu cuenta se creó. Probá de nuevo en unos segundos, con la misma contraseña."},
	}})
}

// register makes an account, or returns store.ErrEmailTaken.
func (a *App) register(ctx *fasthttp.RequestCtx, given account) (user store.User, err error) {
	// Asked before the password is hashed, which costs more.
	switch _, err := a.user(given.Email); {
	case err == nil:
		return user, store.ErrEmailTaken
	case !errors.Is(err, store.ErrNotFound):
		return user, err
	}
	user = store.User{Email: given.Email, Name: given.Name}
	err = a.hasher.inTurn(ctx, clientAddress(ctx), func() (err error) {
		user.Password, err = a.hasher.hash(given.Password)
		return err
	})
	if err != nil {
		return user, err
	}
	return user, a.addUser(user)
}

func (a *App) addUser(u store.User) error {
	if a.cfg.Store == nil {
		return errNoStore
	}
	ctx, cancel := context.WithTimeout(context.Background(), dbBudget)
	defer cancel()
	return a.cfg.Store.AddUser(ctx, u)
}
