package app

import (
	"net/url"

	"github.com/valyala/fasthttp"
)

// recallCookie holds what was typed into a form that failed, except the password, for as long as the page in
// between is shown. Only the form's own address gets it, once.
const (
	recallCookie = "balanceo_form"
	recallLife   = 60 // seconds
)

// remember lets the form at path be shown again with what was given and is acceptable.
func remember(ctx *fasthttp.RequestCtx, path string, given account) {
	if !validEmail(given.Email) {
		given.Email = ""
	}
	if !plainText(given.Name, nameMost) {
		given.Name = ""
	}
	setRecall(ctx, path, url.Values{"email": {given.Email}, "name": {given.Name}}.Encode(), recallLife)
}

// recall returns what was given to the form that is asked for, and forgets it.
func recall(ctx *fasthttp.RequestCtx) (given account, again bool) {
	held := ctx.Request.Header.Cookie(recallCookie)
	if len(held) == 0 {
		return account{}, false
	}
	setRecall(ctx, string(ctx.Path()), "", -1)
	fields, err := url.ParseQuery(string(held))
	if err != nil {
		return account{}, false
	}
	given = account{Email: normalEmail(fields.Get("email")), Name: fields.Get("name")}
	return given, (given.Email == "" || validEmail(given.Email)) && (given.Name == "" || plainText(given.Name, nameMost))
}

func setRecall(ctx *fasthttp.RequestCtx, path, value string, life int) {
	var c fasthttp.Cookie
	c.SetKey(recallCookie)
	c.SetValue(value)
	c.SetPath(path)
	c.SetHTTPOnly(true)
	c.SetSameSite(fasthttp.CookieSameSiteLaxMode)
	c.SetSecure(secure(ctx))
	if c.SetMaxAge(life); life < 0 {
		c.SetExpire(fasthttp.CookieExpireDelete)
	}
	ctx.Response.Header.SetCookie(&c)
}
