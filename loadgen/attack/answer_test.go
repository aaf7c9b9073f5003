package attack

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// readAll reads an answer that arrives in pieces of n bytes.
func readAll(a *answer, text []byte, n int) (used int, err error) {
	a.begin()
	var in []byte
	for len(text) > 0 && a.part != complete {
		piece := text[:min(n, len(text))]
		text = text[len(piece):]
		in = append(in, piece...)
		k, err := a.read(in, false, true)
		used += k
		in = in[k:]
		if err != nil {
			return used, err
		}
	}
	if a.part == untilClose {
		return used, a.closed()
	}
	return used, nil
}

// FuzzAnswer reads answers in pieces of every size: all say the same, and where net/http reads the answer, too, the
// status and the body are what it says.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nuntil closed",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n3;x=y\r\nabc\r\n0\r\nDigest: x\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "220 mail\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-4\r\nfour\r\n", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var whole answer
		used, err := readAll(&whole, text, len(text)+1)
		for _, n := range []int{1, 2, 7, 100} {
			var a answer
			k, perr := readAll(&a, text, n)
			if (err == nil) != (perr == nil) || err == nil && (k != used || a.part != whole.part || a.bytes != whole.bytes || !bytes.Equal(a.text, whole.text)) {
				t.Errorf("%q in pieces of %d: %d bytes, %v, body %q; at once %d bytes, %v, body %q", text, n, k, perr, a.text, used, err, whole.text)
			}
		}
		if err != nil || whole.part != complete || bytes.Contains(text, []byte("HTTP/1.1 1")) {
			return
		}
		resp, herr := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
		if herr != nil {
			return // it is stricter
		}
		defer resp.Body.Close()
		body, herr := io.ReadAll(resp.Body)
		if herr == nil && len(body) < maxText && resp.StatusCode == whole.head.StatusCode() && resp.ContentLength == int64(max(whole.head.ContentLength(), -1)) &&
			!bytes.Equal(body, whole.text) {
			t.Errorf("%q: body %q, net/http says %q", text, whole.text, body)
		}
	})
}

func TestAnswerBounds(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxHead),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 2*maxHead),
	} {
		var a answer
		if _, err := readAll(&a, []byte(text), 1000); err == nil {
			t.Errorf("a line of %d bytes is accepted", len(text))
		}
	}
	big := fmt.Sprintf("HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: 2\r\n\r\nok", strings.Repeat("x", 20000))
	var a answer
	if used, err := readAll(&a, []byte(big), 999); err != nil || used != len(big) || string(a.text) != "ok" {
		t.Errorf("a head of 20 kB: %d of %d bytes, %v, body %q", used, len(big), err, a.text)
	}
}
