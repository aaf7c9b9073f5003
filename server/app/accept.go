package app

import (
	"mime"
	"slices"
	"strconv"
	"strings"
)

// prefersHTML tells whether an Accept header ranks text/html above application/json, as browsers' do. With no
// header, or with "*/*" as curl sends, it does not.
func prefersHTML(accept []byte) bool {
	if len(accept) == 0 || string(accept) == "*/*" {
		return false
	}
	return quality(string(accept), "text/html") > quality(string(accept), "application/json")
}

// quality is the weight, 0..1, that an Accept header gives to a media type: that of the most specific range
// that covers it (RFC 9110, 12.5.1).
func quality(accept, kind string) float64 {
	group, _, _ := strings.Cut(kind, "/")
	ranges := []string{"*/*", group + "/*", kind}
	best, weight := -1, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(part)
		specific := slices.Index(ranges, name)
		if err != nil || specific <= best {
			continue
		}
		best, weight = specific, 1
		if q, given := params["q"]; given {
			if weight, err = strconv.ParseFloat(q, 64); err != nil || !(weight >= 0 && weight <= 1) {
				weight = 0
			}
		}
	}
	return weight
}
