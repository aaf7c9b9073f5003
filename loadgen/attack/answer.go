package attack

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/valyala/fasthttp"
)

// maxHead bounds the head of an answer, and a line between two chunks.
const maxHead = 64 << 10

// answer reads one answer from what has arrived so far, however it is cut into pieces. The head is fasthttp's to
// parse; of the body only its length is kept, unless its text is wanted.
type answer struct {
	head  fasthttp.ResponseHeader
	part  part
	left  int64 // bytes of the body or the chunk still to come
	bytes int64 // of the body so far
	keep  bool  // the connection can carry another request
	text  []byte

	source bytes.Reader
	reader *bufio.Reader
}

// part is which part of an answer comes next.
type part uint8

const (
	inHead part = iota
	inBody
	inChunkSize
	inChunk
	inChunkEnd
	inTrailer
	untilClose
	complete
)

// begin makes the answer ready for the next one.
func (a *answer) begin() {
	a.part, a.left, a.bytes, a.keep, a.text = inHead, 0, 0, false, a.text[:0]
}

// read takes what it can of b, all that has arrived and was not taken before, and tells how much that was. isHead
// tells that the request was a HEAD, want that the body's text is kept.
func (a *answer) read(b []byte, isHead, want bool) (used int, err error) {
	for a.part != complete {
		n, err := a.step(b[used:], isHead, want)
		used += n
		if err != nil {
			return used, responseError{err}
		}
		if n == 0 && a.part != complete {
			return used, nil
		}
	}
	return used, nil
}

var errLong = errors.New("line too long")

func (a *answer) step(b []byte, isHead, want bool) (used int, err error) {
	switch a.part {
	case inHead:
		return a.readHead(b, isHead)
	case inBody, inChunk, untilClose:
		n := int64(len(b))
		if a.part != untilClose {
			n = min(n, a.left)
			a.left -= n
		}
		a.bytes += n
		if want {
			a.text = append(a.text, b[:min(n, maxText-int64(len(a.text)))]...)
		}
		if a.part == inBody && a.left == 0 {
			a.part = complete
		} else if a.part == inChunk && a.left == 0 {
			a.part = inChunkEnd
		}
		return int(n), nil
	}
	line, _, found := bytes.Cut(b, []byte{'\n'})
	if !found {
		if len(b) > maxHead {
			return 0, errLong
		}
		return 0, nil
	}
	used = len(line) + 1
	line = bytes.TrimSpace(line)
	switch a.part {
	case inChunkSize:
		size, _, _ := bytes.Cut(line, []byte{';'})
		if a.left, err = strconv.ParseInt(string(bytes.TrimSpace(size)), 16, 64); err != nil || a.left < 0 {
			return used, errors.New("malformed chunk")
		}
		if a.part = inChunk; a.left == 0 {
			a.part = inTrailer
		}
	case inChunkEnd:
		if a.part = inChunkSize; len(line) > 0 {
			return used, errors.New("malformed chunk")
		}
	case inTrailer: // lines up to an empty one
		if len(line) == 0 {
			a.part = complete
		}
	}
	return used, nil
}

// maxText is how much of a body is kept to be searched.
const maxText = 1 << 20

func (a *answer) readHead(b []byte, isHead bool) (used int, err error) {
	end := headEnd(b)
	if end == 0 {
		if len(b) > maxHead {
			return 0, errLong
		}
		return 0, nil
	}
	a.source.Reset(b[:end])
	if a.reader == nil {
		a.reader = bufio.NewReaderSize(&a.source, 4<<10)
	}
	if end > a.reader.Size() {
		a.reader = bufio.NewReaderSize(&a.source, maxHead)
	}
	a.reader.Reset(&a.source)
	h := &a.head
	if err := h.Read(a.reader); err != nil {
		return 0, malformed{err}
	}
	code, length := h.StatusCode(), h.ContentLength()
	if code < 100 || statusZero(b) {
		return 0, malformed{errStatus}
	}
	if code < 200 && code != fasthttp.StatusSwitchingProtocols {
		return end, nil // an interim answer, as 103 Early Hints
	}
	a.keep = !h.ConnectionClose() && code != fasthttp.StatusSwitchingProtocols
	a.left = int64(length)
	switch {
	case isHead, code < 200, code == fasthttp.StatusNoContent, code == fasthttp.StatusNotModified, length == 0:
		a.part = complete
	case length > 0:
		a.part = inBody
	case length == closeDelimited:
		a.part, a.keep = untilClose, false
	default:
		a.part = inChunkSize
	}
	return end, nil
}

var errStatus = errors.New("status below 100")

// statusZero tells that the status in a head is 000, of which fasthttp makes 200.
func statusZero(head []byte) bool {
	_, rest, _ := bytes.Cut(head, []byte{' '})
	return bytes.HasPrefix(bytes.TrimLeft(rest, " "), []byte("000"))
}

// headEnd is how long the head at the beginning of b is; 0: its end has not come yet.
func headEnd(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0
		}
		at += i + 1
		switch rest := b[at:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return at + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return at + 2
		}
	}
}

// closeDelimited is what fasthttp calls the length of a body that ends with the connection.
const closeDelimited = -2

// closed tells that the other side has ended the connection: the error, unless that is how the answer ends.
func (a *answer) closed() error {
	if a.part == untilClose {
		a.part = complete
		return nil
	}
	return io.ErrUnexpectedEOF
}
