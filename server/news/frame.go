package news

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Life is how long a lease lasts. A listener counts from when it asked, the broker from when it read that, so that
// what the broker takes for over is over.
const Life = 800 * time.Millisecond

// What a frame is.
const (
	hello   byte = iota + 1 // listener, first: the payload is the token
	renew                   // listener: asks for a lease; the number is its own
	heard                   // listener: has taken in all items up to the number
	settle                  // listener: asks to be told when nobody relies on what was before; the number is its own
	bye                     // listener: relies on nothing any more
	welcome                 // broker: every item from now on will come; the payload has what was before
	item                    // broker: the payload; items are numbered
	granted                 // broker: answers the renew with the number
	settled                 // broker: answers the settle with the number
)

// frame is what goes over the wire: kind, number, length of the payload, payload.
type frame struct {
	kind    byte
	number  uint64
	payload []byte
}

const (
	headSize    = 1 + 8 + 4
	payloadMost = 1 << 20
)

func (f frame) append(b []byte) []byte {
	b = append(b, f.kind)
	b = binary.BigEndian.AppendUint64(b, f.number)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.payload))) //nolint:gosec // at most payloadMost
	return append(b, f.payload...)
}

func readFrame(r *bufio.Reader) (frame, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: head[0], number: binary.BigEndian.Uint64(head[1:])}
	size := binary.BigEndian.Uint32(head[9:])
	if size > payloadMost {
		return frame{}, fmt.Errorf("a frame of %d bytes, at most %d are accepted", size, payloadMost)
	}
	if size > 0 {
		f.payload = make([]byte, size)
	}
	_, err := io.ReadFull(r, f.payload)
	return f, err
}
