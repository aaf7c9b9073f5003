package app

import (
	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"
)

// Routes by their registered paths. Requests are counted under these names.
const (
	routeHome       = "/"
	routeLogin      = "/login"
	routeFailLogin  = "/faillogin"
	routeSignup     = "/signup"
	routeFailSignup = "/failsignup"
	routeLogout     = "/logout"
	routeCheckAuth  = "/checkAuth"
	routeInfo       = "/info"
	routeRandoms    = "/api/randoms"
	routeSocket     = "/ws"
	routeHealth     = "/healthz"
	routeStatic     = "/static"
)

// Routes are the names under which requests are counted, besides the ones that a caller of Handler adds.
func Routes() []string {
	return []string{
		routeHome, routeLogin, routeFailLogin, routeSignup, routeFailSignup, routeLogout, routeCheckAuth,
		routeInfo, routeRandoms, routeSocket, routeHealth, routeStatic,
	}
}

func (a *App) routes() fasthttp.RequestHandler {
	r := router.New()
	// A wrong method is an unknown route here: the 404 page names both.
	r.HandleMethodNotAllowed = false
	r.HandleOPTIONS = false
	r.RedirectTrailingSlash = false
	r.RedirectFixedPath = false
	r.NotFound = a.notFound

	get := func(path string, h fasthttp.RequestHandler) {
		r.GET(path, h)
		r.HEAD(path, h)
	}
	get(routeLogin, a.loginPage)
	get(routeSignup, a.signupPage)
	get(routeFailLogin, a.pages.failLogin.serve)
	get(routeFailSignup, a.pages.failSignup.serve)
	get(routeHome, a.homePage)
	get(routeLogout, a.logout)
	get(routeCheckAuth, a.checkAuth)
	r.POST(routeLogin, a.login)
	r.POST(routeSignup, a.signup)
	r.POST(routeLogout, a.logout)
	r.GET(routeSocket, a.socket)
	get(routeInfo, a.info.serve)
	get(routeRandoms, a.randoms)
	get(routeHealth, a.health)
	for name, f := range a.pages.static {
		get(routeStatic+"/"+name, f.serve)
	}
	return r.Handler
}
