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

	"github.com/fasthttp/websocket"
	"go.mongodb.org/mongo-driver/v2/bson"

	"balanceo/server/store"
)

// Events of the websocket. Each message is {"event": …, "data": …}.
const (
	eventList    = "PRODLIST" // server: the newest products, newest first; beside data, server says which process this is
	eventProduct = "PRODUCT"  // server: a new product
	eventNew     = "NEWPROD"  // client: {title, price, thumbnail} and, if it likes, an id of 24 hexadecimal digits
	eventError   = "ERROR"    // server: {code, message, field, id}
)

// Codes of an ERROR.
const (
	codeMessage     = "message"     // not a message that the server knows
	codeInvalid     = "invalid"     // the field named has no acceptable value
	codeSession     = "session"     // only for somebody who is signed in
	codeUnavailable = "unavailable" // the database does not answer: whether it saved is not known, worth sending again
)

// Bounds of a product.
const (
	titleMost     = 200  // characters
	thumbnailMost = 2000 // bytes
	messageMost   = 16 << 10
	listMost      = 200 // products in a PRODLIST
	priceMost     = 1_000_000_000
)

// refusal is the data of an ERROR.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"` // for the person, in Spanish
	Field   string `json:"field,omitempty"`
	ID      string `json:"id,omitempty"` // of the product; sent again with it, the product is saved once
}

func (r *refusal) Error() string { return r.Message }

// encodedProduct is a product as it stands in messages.
type encodedProduct = json.RawMessage

// encodeProduct fails where JSON can't carry the product: a price that is no number, a year beyond 9999.
func encodeProduct(p store.Product) (encodedProduct, error) { return json.Marshal(p) }

// outgoing is what the server sends over a websocket.
type outgoing struct {
	Event  string    `json:"event"`
	Data   any       `json:"data"`
	Server *identity `json:"server,omitempty"`
}

func encode(event string, data any) []byte { return mustJSON(outgoing{Event: event, Data: data}) }

func encodeList(newest []encodedProduct, who identity) []byte {
	if newest == nil {
		newest = []encodedProduct{}
	}
	return mustJSON(outgoing{eventList, newest, &who})
}

// prepare makes the frame of a text message, once for all who get it.
func prepare(text []byte) *websocket.PreparedMessage {
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, text)
	if err != nil { // only for a message of another kind
		panic(err)
	}
	return m
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
	if given.Price == nil || !(*given.Price >= 0 && *given.Price <= priceMost) {
		return invalid("price", "El precio debe ser un número de 0 a 1.000.000.000.")
	}
	p.Price = math.Abs(*given.Price) // not -0
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
