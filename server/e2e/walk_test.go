//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

const password = "una clave larga"

func (p *person) signup(s *instance, email string) {
	p.t.Helper()
	p.signupAt(s.url(), email)
}

func (p *person) signupAt(url, email string) {
	p.t.Helper()
	p.open(url + "/signup")
	p.fill("#name", p.name, "#email", email, "#password", password)
	p.untilAt("/")
	p.untilText(".who", p.name)
	p.live()
}

// live waits until the list is shown.
func (p *person) live() {
	p.t.Helper()
	p.until("the list", "!document.querySelector('#empty').hidden || document.querySelectorAll('#products li').length > 0")
}

func (p *person) add(s *instance, title, price string) {
	p.t.Helper()
	p.addAt(s.url(), title, price)
}

func (p *person) addAt(url, title, price string) {
	p.t.Helper()
	p.fill("#title", title, "#price", price, "#thumbnail", url+"/static/icon.svg")
	p.until("the product in the own list", shows(title))
	p.until("the form to be empty", "document.querySelector('#title').value === ''")
}

// shows is an expression that is true while exactly one product has the title.
func shows(title string) string {
	return fmt.Sprintf("[...document.querySelectorAll('#products .name')].filter(e => e.textContent === %q).length === 1", title)
}

func TestE2EWalk(t *testing.T) {
	program, dir := build(t), t.TempDir()
	one, other := serve(t, program, dir), serve(t, program, dir)
	browser := launch(t)
	ana, bruno := newPerson(t, browser, "Ana"), newPerson(t, browser, "Bruno <i>")

	ana.open(one.url() + "/")
	ana.untilAt("/login")
	ana.shot("login")
	ana.signup(one, "ana@example.com")
	ana.shot("empty")
	bruno.signup(other, "bruno@example.com")

	// A product of one person appears on the other's page, once and as text.
	const script = "<script>alert(1)</script>"
	ana.add(one, script, "12.5")
	bruno.until("Ana's product", shows(script))
	bruno.add(other, "Taza de cerámica", "4200")
	ana.until("Bruno's product", shows("Taza de cerámica"))
	ana.until("one element per product", "document.querySelectorAll('#products li').length === 2 && document.querySelectorAll('#products script').length === 0")

	// What is wrong is said beside the field, which gets the focus.
	ana.fill("#title", "x", "#price", "-1", "#thumbnail", "javascript:alert(1)")
	ana.untilText("#price-error", "0 o más")
	ana.untilText("#thumbnail-error", "http://")
	ana.until("the focus on the field", "document.activeElement.id === 'price'")
	ana.shot("problems")

	// The restart of a server is noticed, and the page recovers by itself.
	ana.expect("ERR_CONNECTION_REFUSED", "WebSocket connection to")
	one.stop()
	ana.untilText("#notice", "Se perdió la conexión")
	ana.shot("lost")
	bruno.add(other, "Mientras tanto", "1")
	one.start()
	ana.untilText("#notice", "Conexión recuperada")
	ana.until("the whole list", shows("Mientras tanto"))
	ana.until("the list once", "document.querySelectorAll('#products li').length === 3")
	ana.add(one, "Después", "2")
	bruno.until("the product after the restart", shows("Después"))
	ana.expect()

	// Signing out says goodbye, and the page goes back by itself.
	ana.run(chromedp.Click[chromedp.CSS]("a[href='/logout']"))
	ana.untilText("h1", "Hasta luego, Ana!")
	ana.shot("goodbye")
	ana.untilAt("/login")
	ana.fill("#email", "ana@example.com", "#password", "otra clave")
	ana.untilText("h1", "Credenciales incorrectas!")
	ana.shot("faillogin")
	ana.untilAt("/login")
	ana.until("the e-mail kept, the error at its field, the focus there", "document.querySelector('#email').value === 'ana@example.com' && "+
		"document.querySelector('#password-error').innerText.includes('no coinciden') && document.activeElement.id === 'password'")
	ana.shot("login-again")
	ana.open(one.url() + "/signup")
	ana.fill("#name", "Otra", "#email", "ana@example.com", "#password", password)
	ana.untilText("h1", "ya está registrado")
	ana.untilAt("/signup")
	ana.until("what was given, the error at its field, the focus there", "document.querySelector('#name').value === 'Otra' && "+
		"document.querySelector('#email-error').innerText.includes('ya está registrado') && document.activeElement.id === 'email'")
	ana.shot("signup-again")
	ana.open(one.url() + "/login")
	ana.fill("#email", "ana@example.com", "#password", password)
	ana.untilText(".who", "Ana")
	ana.live()

	// Signing out in one window tells the other.
	window := ana.window()
	window.open(other.url() + "/")
	window.live()
	ana.open(one.url() + "/logout")
	window.untilText("#notice", "Tu sesión terminó")
	window.untilAt("/login")

	for _, p := range []*person{ana, bruno, window} {
		p.clean()
	}
}

// What the page was told to be refused may be saved after all, by a database that hung. Sent again it is in the list
// once, and if it turns up by itself the form is emptied.
func TestE2EUnsureProduct(t *testing.T) {
	db := storetest.Start(t, t.TempDir(), "127.0.0.1:0")
	s := serve(t, build(t), t.TempDir(), "MONGO_URL="+db.URL)
	ana := newPerson(t, launch(t), "Ana")
	ana.signup(s, "ana@example.com")
	ana.run(chromedp.Evaluate[chromedp.Void](`
		window.sent = [];
		const send = WebSocket.prototype.send;
		WebSocket.prototype.send = function (m) { sent.push(JSON.parse(m).data.id); send.call(this, m); };
		void 0`))
	submit := "document.querySelector('#new-product').requestSubmit()"
	refused := func(title string) {
		t.Helper()
		db.Halt(t)
		ana.fill("#title", title, "#price", "1", "#thumbnail", s.url()+"/static/icon.svg")
		ana.untilText("#form-error", "La base de datos no responde")
	}
	goOn := func() {
		t.Helper()
		if err := db.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}

	refused("again")
	ana.run(chromedp.Evaluate[chromedp.Void]("void " + submit))
	ana.until("the second attempt", "sent.length === 2")
	goOn()
	ana.until("the product once", "document.querySelector('#title').value !== '' && "+submit+", "+shows("again"))
	ana.until("one id in all attempts", "new Set(sent).size === 1")
	ana.until("the form to be empty", "document.querySelector('#title').value === ''")

	refused("late")
	goOn()
	id, err := chromedp.Run(ana.ctx, chromedp.Evaluate[string]("sent.at(-1)"))
	if err != nil {
		t.Fatal(err)
	}
	save(t, db.URL, id, "late")
	ana.until("the product once", shows("late"))
	ana.until("the form to be empty", "document.querySelector('#title').value === '' && document.querySelector('#form-error').textContent === ''")
	ana.clean()
}

// save writes a product into the database, unless it is there, as a database does that goes on with what it was asked.
func save(t *testing.T, url, id, title string) {
	t.Helper()
	key, err := bson.ObjectIDFromHex(id)
	if err != nil {
		t.Fatal(err)
	}
	p := store.Product{ID: key, Title: title, Price: 1, Thumbnail: "http://127.0.0.1/x.png", TimeStamp: time.Now()}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := storetest.Open(t, url).AddProduct(ctx, p); err != nil {
		t.Fatal(err)
	}
}

// An open page of somebody who does nothing says that the session is over, and goes to the login page.
func TestE2EExpiredSession(t *testing.T) {
	s := serve(t, build(t), t.TempDir(), "EXP_TIME=2000")
	ana := newPerson(t, launch(t), "Ana")
	ana.signup(s, "ana@example.com")
	ana.untilText("#notice", "Tu sesión terminó")
	ana.shot("expired")
	ana.untilAt("/login")
	ana.clean()
}

// A product whose picture is one of the application's own addresses does nothing in anybody's name, and a price is
// understood with comma and with point.
func TestE2EHarmlessPicturesAndPrices(t *testing.T) {
	s := serve(t, build(t), t.TempDir())
	ana := newPerson(t, launch(t), "Ana")
	ana.signup(s, "ana@example.com")
	for i, picture := range []string{s.url() + "/logout", "http://127.0.0.1:1/logout", "http://LOCALHOST@127.0.0.1:" + s.port + "/logout"} {
		ana.fill("#title", fmt.Sprint("Trampa ", i), "#price", "1", "#thumbnail", picture)
		ana.until("the product", shows(fmt.Sprint("Trampa ", i)))
		ana.until("the form to be empty", "document.querySelector('#title').value === ''")
	}
	ana.open(s.url() + "/")
	ana.live()
	ana.until("no picture of an own address", "document.querySelectorAll('#products li').length === 3 && document.querySelectorAll('#products img').length === 0")
	// A page that loads it all the same: the server refuses.
	ana.expect("403")
	ana.until("the answer to a picture", "window.tried || (window.tried = true, window.done = false, (() => { const i = new Image(); i.onload = i.onerror = () => { window.done = true }; i.src = '/logout' })(), true)")
	ana.until("the picture to fail", "window.done")
	ana.expect()
	ana.open(s.url() + "/")
	ana.untilText(".who", "Ana")
	ana.live()
	for _, c := range []struct{ typed, shown string }{
		{"4500,50", "$ 4.500,50"}, {"4500.50", "$ 4.500,50"}, {"4.500,5", "$ 4.500,50"}, {"0", "$ 0,00"}, {"1,000,000", "$ 1.000.000,00"},
	} {
		ana.add(s, "Precio "+c.typed, c.typed)
		ana.until("the price of "+c.typed, fmt.Sprintf("[...document.querySelectorAll('#products li')].find(li => li.innerText.includes(%q)).querySelector('.price').textContent === %q", "Precio "+c.typed, c.shown))
	}
	for _, wrong := range []string{"4.500", "4,500", "-1", "1e5", "abc", "1000000001", "1.2.3"} {
		ana.fill("#title", "x", "#price", wrong, "#thumbnail", "https://example.com/a.png")
		ana.untilText("#price-error", "Escribí un precio")
		ana.until("the focus on the price", "document.activeElement.id === 'price'")
	}
	ana.clean()
}

// Every page says who answered, and the main page who holds its websocket.
func TestE2EWhoAnswered(t *testing.T) {
	s := serve(t, build(t), t.TempDir(), "INSTANCE=sitio1")
	ana := newPerson(t, launch(t), "Ana")
	ana.signup(s, "ana@example.com")
	pid := fmt.Sprint(s.cmd.Process.Pid)
	ana.untilText("#socket", "instancia sitio1, proceso "+pid)
	ana.expect("404")
	for _, page := range []string{"/", "/info", "/nada", "/login", "/signup", "/faillogin", "/logout"} {
		ana.open(s.url() + page)
		ana.untilText("#instance", "sitio1")
		ana.untilText("#pid", pid)
	}
	ana.expect()
	ana.open(s.url() + "/info")
	ana.untilText(".facts", " MB")
	ana.run(chromedp.Click[chromedp.CSS]("main a[href='/info']"))
	ana.untilAt("/info")
	ana.clean()
}

// Every page fits a phone, in light and dark.
func TestE2EPhone(t *testing.T) {
	s := serve(t, build(t), t.TempDir())
	browser := launch(t)
	ana := newPerson(t, browser, "Ana")
	ana.signup(s, "ana@example.com")
	for i, title := range []string{"Lámpara de pie", "Mochila impermeable de 30 litros con funda", "Unnombrelarguísimosinespaciosquenoentraenningunalíneadeunteléfono"} {
		ana.add(s, title, fmt.Sprint(1250.5*float64(i+1)))
	}
	ana.add(s, "كرسي مكتب مريح جدا مع مسند للذراعين", "1000000000")
	ana.add(s, strings.Repeat("W", 200), "999999999,99")
	long := newPerson(t, browser, strings.Repeat("Ñandú", 20))
	long.run(chromedp.EmulateViewport(320, 568))
	long.signup(s, strings.Repeat("a", 60)+"@example.com")
	long.fits("/ with a long name")
	long.shot("small-home-long-name")
	long.open(s.url() + "/logout")
	long.fits("/logout with a long name")
	long.clean()
	for _, scheme := range []string{"light", "dark"} {
		for _, screen := range []struct {
			name          string
			width, height int64
		}{{"phone", 390, 844}, {"small", 320, 568}, {"desk", 1280, 860}} {
			ana.run(chromedp.EmulateViewport(screen.width, screen.height))
			if _, err := chromedp.Call(ana.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			}); err != nil {
				t.Fatal(err)
			}
			for _, page := range []string{"/", "/login", "/signup", "/info", "/faillogin"} {
				ana.open(s.url() + page)
				if page == "/" {
					ana.live()
				}
				ana.fits(page)
				ana.shot(fmt.Sprintf("%s-%s%s", scheme, screen.name, map[string]string{"/": "-home"}[page]+dashed(page)))
			}
		}
	}
	ana.expect("404")
	ana.open(s.url() + "/" + "nohaynadaporaquí")
	ana.untilText("h1", "No encontrado")
	ana.expect()
	ana.clean()
}

func dashed(page string) string {
	if page == "/" {
		return ""
	}
	return "-" + page[1:]
}
