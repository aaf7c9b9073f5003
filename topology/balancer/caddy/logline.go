package caddy

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// entry is a line of Caddy's access log.
type entry struct {
	TS       float64 `json:"ts"` // when the answer was complete, Unix seconds
	Duration float64 `json:"duration"`
	Status   int     `json:"status"`
	Size     int64   `json:"size"`
	Request  struct {
		RemoteIP string      `json:"remote_ip"`
		Method   string      `json:"method"`
		URI      string      `json:"uri"`
		Headers  http.Header `json:"headers"`
	} `json:"request"`
	Answer http.Header `json:"resp_headers"`
}

// line has the keys of the log_format of nginx.conf.
type line struct {
	Msec           float64 `json:"msec"`
	RemoteAddr     string  `json:"remote_addr"`
	Method         string  `json:"method"`
	URI            string  `json:"uri"`
	Status         int     `json:"status"`
	Bytes          int64   `json:"bytes"`
	RequestTime    float64 `json:"request_time"`
	UpstreamGroup  string  `json:"upstream_group"`
	UpstreamAddr   string  `json:"upstream_addr"`
	UpstreamStatus string  `json:"upstream_status"`
	HeaderTime     string  `json:"upstream_header_time"`
	UserAgent      string  `json:"user_agent"`
	RequestID      string  `json:"request_id"`
}

// LogLine implements balancer.Balancer. Caddy logs the headers of the answer, which say who gave it; of servers that
// were tried before in vain it says nothing. An answer of Caddy's own (502 to 504) had none of a server.
func (Caddy) LogLine(text []byte) []byte {
	var e entry
	if err := json.Unmarshal(text, &e); err != nil {
		return text
	}
	l := line{
		Msec: e.TS, RemoteAddr: e.Request.RemoteIP, Method: e.Request.Method, URI: e.Request.URI, Status: e.Status, Bytes: e.Size,
		RequestTime: e.Duration, UpstreamGroup: e.Answer.Get("X-Upstream-Group"), UpstreamAddr: e.Answer.Get("X-Upstream"),
		UpstreamStatus: strconv.Itoa(e.Status), HeaderTime: strconv.FormatFloat(e.Duration, 'f', 3, 64),
		UserAgent: e.Request.Headers.Get("User-Agent"), RequestID: e.Request.Headers.Get("X-Request-Id"),
	}
	if e.Answer.Get("Server") == "Caddy" && e.Status >= http.StatusBadGateway {
		l.HeaderTime = "-"
	}
	out, err := json.Marshal(l)
	if err != nil {
		return text
	}
	return out
}
