package app

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
	"golang.org/x/text/unicode/norm"
)

// Bounds of an account.
const (
	nameMost  = 100 // characters
	emailMost = 254 // bytes, RFC 5321
)

// account is what a person signs up with.
type account struct {
	Email, Password, Name string
}

// problem is what is wrong with one field of a form.
type problem struct {
	Field, Text string
}

// accountIn reads the fields of a form.
func accountIn(form *fasthttp.Args) account {
	return account{
		Email:    normalEmail(string(form.Peek("email"))),
		Password: string(form.Peek("password")),
		Name:     strings.TrimSpace(string(form.Peek("name"))),
	}
}

// check tells what is wrong with an account.
func (a account) check() []problem {
	var found []problem
	if !plainText(a.Name, nameMost) {
		found = append(found, problem{"name", "Escribí tu nombre, de 1 a 100 caracteres."})
	}
	if !validEmail(a.Email) {
		found = append(found, problem{"email", "Escribí un e-mail como nombre@ejemplo.com."})
	}
	switch {
	case a.Password == "":
		found = append(found, problem{"password", "Escribí una contraseña."})
	case len(a.Password) > passwordMost:
		found = append(found, problem{"password", "La contraseña es demasiado larga: hasta 72 caracteres (menos, con acentos)."})
	}
	return found
}

// plainText tells whether text has 1 to most characters, none of them a control character.
func plainText(text string, most int) bool {
	n := utf8.RuneCountInString(text)
	return n >= 1 && n <= most && utf8.ValidString(text) && strings.IndexFunc(text, controls) < 0
}

// controls tells whether r is a control character, or one that turns the direction of what follows, so that a text
// reads as another one. The marks that texts from right to left need are none of these.
func controls(r rune) bool {
	return unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

func validEmail(email string) bool {
	if len(email) > emailMost || !utf8.ValidString(email) || strings.IndexFunc(email, controls) >= 0 {
		return false
	}
	parsed, err := mail.ParseAddress(email)
	return err == nil && parsed.Name == "" && strings.EqualFold(parsed.Address, email)
}

// normalEmail is how an e-mail is kept and looked for: of equal ones that are written in different ways one. It
// is empty where email is no text at all, which lower case would make into some.
func normalEmail(email string) string {
	if !utf8.ValidString(email) {
		return ""
	}
	return norm.NFC.String(strings.ToLower(strings.TrimSpace(email)))
}
