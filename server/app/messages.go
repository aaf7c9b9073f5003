package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"balanceo/server/store"
)

// Events of the websocket. Each message is {"event": …, "data": …}.
const (
	eventList    = "PRODLIST" // server: the newest products, newest first
	eventProduct = "PRODUCT"  // server: a new product
	eventNew     = "NEWPROD"  // client: {title, price, thumbnail} and, if it likes, an id of 24 hexadecimal digits
	eventError   = "ERROR"    // server: {code, message, field, id}
)

// Codes of an ERROR.
const (
	codeMessage     = "message"     // not a message that the server knows
	codeInvalid     = "invalid"     // the field named has no acceptable value
	codeSession     = "session"     // only for somebody who is signed in
	codeUnavailable = "unavailable" // the database does not answer; worth trying again
)

// Bounds of a product.
const (
	titleMost     = 200  // characters
	thumbnailMost = 2000 // bytes
	messageMost   = 16 << 10
	listMost      = 200 // products in a PRODLIST
)

// refusal is the data of an ERROR.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"` // for the person, in Spanish
	Field   string `json:"field,omitempty"`
	ID      string `json:"id,omitempty"` // as the client gave it
}

func (r *refusal) Error() string { return r.Message }

// encode makes a message.
func encode(event string, data any) []byte {
	out, err := json.Marshal(struct {
		Event string `json:"event"`
		Data  any    `json:"data"`
	}{event, data})
	if err != nil { // only for what can't be encoded at all, as a channel
		panic(err)
	}
	return out
}

// decodeProduct reads a NEWPROD that arrived at the time now. The error is a *refusal.
func decodeProduct(message []byte, now time.Time) (store.Product, error) {
	var in struct {
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	if err := decodeOne(message, &in); err != nil || in.Event != eventNew {
		return store.Product{}, &refusal{Code: codeMessage, Message: "Mensaje desconocido."}
	}
	var given struct {
		ID        string   `json:"id"`
		Title     string   `json:"title"`
		Price     *float64 `json:"price"`
		Thumbnail string   `json:"thumbnail"`
	}
	if err := decodeOne(in.Data, &given); err != nil {
		r := &refusal{Code: codeInvalid, Message: "El producto no se entiende.", ID: given.ID}
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			r.Field = wrong.Field
		}
		return store.Product{}, r
	}
	p := store.Product{
		Title:     strings.TrimSpace(given.Title),
		Thumbnail: strings.TrimSpace(given.Thumbnail),
		TimeStamp: now.UTC().Truncate(time.Millisecond), // as it is kept
	}
	invalid := func(field, text string) (store.Product, error) {
		return store.Product{}, &refusal{codeInvalid, text, field, given.ID}
	}
	if !plainText(p.Title, titleMost) {
		return invalid("title", "El nombre debe tener de 1 a 200 caracteres.")
	}
	if given.Price == nil || math.IsNaN(*given.Price) || math.IsInf(*given.Price, 0) || *given.Price < 0 {
		return invalid("price", "El precio debe ser un número de 0 o más.")
	}
	if p.Price = *given.Price; p.Price == 0 {
		p.Price = 0 // not -0
	}
	if !webURL(p.Thumbnail) {
		return invalid("thumbnail", "La foto debe ser una dirección http:// o https://.")
	}
	p.ID = bson.NewObjectIDFromTimestamp(now)
	if given.ID != "" {
		id, err := bson.ObjectIDFromHex(given.ID)
		if err != nil {
			return invalid("id", "El id debe tener 24 cifras hexadecimales.")
		}
		p.ID = id
	}
	return p, nil
}

// decodeOne decodes exactly one JSON value.
func decodeOne(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

// webURL tells whether text is an absolute http or https address: nothing else may become the source of a
// picture.
func webURL(text string) bool {
	if len(text) > thumbnailMost || !plainText(text, thumbnailMost) {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}
