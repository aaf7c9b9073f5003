package app

import (
	"bytes"
	"strconv"
)

// prefersHTML tells whether an Accept header ranks text/html above application/json, as browsers' do. With no
// header, or with "*/*" as curl sends, it does not.
func prefersHTML(accept []byte) bool {
	if len(accept) == 0 || string(accept) == "*/*" {
		return false
	}
	return quality(accept, "text", "html") > quality(accept, "application", "json")
}

// quality is the weight, 0..1, that an Accept header gives to a media type: that of the most specific range
// that covers it (RFC 9110, 12.5.1).
func quality(accept []byte, kind, subtype string) float64 {
	best, weight := 0, 0.0
	for part := range bytes.SplitSeq(accept, []byte(",")) {
		name, params, _ := bytes.Cut(part, []byte(";"))
		a, b, _ := bytes.Cut(bytes.ToLower(bytes.TrimSpace(name)), []byte("/"))
		specific := 0
		switch {
		case string(a) == kind && string(b) == subtype:
			specific = 3
		case string(a) == kind && string(b) == "*":
			specific = 2
		case string(a) == "*" && string(b) == "*":
			specific = 1
		}
		if specific > best {
			best, weight = specific, parameterQ(params)
		}
	}
	return weight
}

func parameterQ(params []byte) float64 {
	for p := range bytes.SplitSeq(params, []byte(";")) {
		name, value, _ := bytes.Cut(p, []byte("="))
		if string(bytes.ToLower(bytes.TrimSpace(name))) != "q" {
			continue
		}
		q, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
