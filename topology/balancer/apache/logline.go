package apache

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// LogLine implements balancer.Balancer: it mends the escapes that JSON does not have, and says whether the server
// answered. An answer of Apache's own is one with a status for that and with something about it in the error log.
func (Apache) LogLine(text []byte) []byte {
	text = escapes(text)
	var l struct {
		Status  int    `json:"status"`
		ErrorID string `json:"error_id"`
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return text
	}
	answered := "0"
	if l.Status >= http.StatusBadGateway && l.Status <= http.StatusGatewayTimeout && l.ErrorID != "-" {
		answered = "-"
	}
	end := bytes.LastIndexByte(text, '}')
	return append(text[:end:end], []byte(`,"upstream_header_time":"`+answered+`"}`)...)
}

// escapes turns \xhh and \v, which Apache writes and JSON does not know, into text that says the same.
func escapes(text []byte) []byte {
	if !bytes.Contains(text, []byte(`\x`)) && !bytes.Contains(text, []byte(`\v`)) {
		return text
	}
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		i++
		if text[i] == 'x' || text[i] == 'v' {
			out = append(out, '\\')
		}
		out = append(out, '\\', text[i])
	}
	return out
}
