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

// unsureCookie holds the e-mail of a sign-up of which nobody knows whether it was saved. It is a browser's word and opens
// nothing: it makes signing up with that e-mail mean signing in where the e-mail is taken.
const (
	unsureCookie = "balanceo_unsure"
	unsureLife   = 15 * 60 // seconds
)

func rememberUnsure(ctx *fasthttp.RequestCtx, given account) {
	setOwn(ctx, unsureCookie, routeSignup, url.QueryEscape(given.Email), unsureLife)
}

func unsure(ctx *fasthttp.RequestCtx, given account) bool {
	return string(ctx.Request.Header.Cookie(unsureCookie)) == url.QueryEscape(given.Email)
}

// remember lets the form at path be shown again with what was given and is acceptable.
func remember(ctx *fasthttp.RequestCtx, path string, given account) {
	if !validEmail(given.Email) {
		given.Email = ""
	}
	if !plainText(given.Name, nameMost) {
		given.Name = ""
	}
	setOwn(ctx, recallCookie, path, url.Values{"email": {given.Email}, "name": {given.Name}}.Encode(), recallLife)
}

// recall returns what was given to the form that is asked for, and forgets it.
func recall(ctx *fasthttp.RequestCtx) (given account, again bool) {
	held := ctx.Request.Header.Cookie(recallCookie)
	if len(held) == 0 {
		return account{}, false
	}
	setOwn(ctx, recallCookie, string(ctx.Path()), "", -1)
	fields, err := url.ParseQuery(string(held))
	if err != nil {
		return account{}, false
	}
	given = account{Email: normalEmail(fields.Get("email")), Name: fields.Get("name")}
	return given, (given.Email == "" || validEmail(given.Email)) && (given.Name == "" || plainText(given.Name, nameMost))
}

// setOwn sets a cookie that only the address path gets, for life seconds; negative: removes it.
func setOwn(ctx *fasthttp.RequestCtx, name, path, value string, life int) {
	var c fasthttp.Cookie
	c.SetKey(name)
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
