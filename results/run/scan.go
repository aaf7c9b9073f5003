package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Scan reads records one after the other from what generators printed with -json where their errors went the same way,
// as in the log of a container: lines that loadgen begins with its name, or with a hint, may stand between any two.
func Scan(r io.Reader) ([]*Record, error) {
	var text bytes.Buffer
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if !bytes.HasPrefix(line, []byte("loadgen: ")) && !bytes.HasPrefix(line, []byte("hint: ")) {
			text.Write(line)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("records: %w", err)
		}
	}
	var out []*Record
	for decoder := json.NewDecoder(&text); ; {
		one := &Record{}
		err := decoder.Decode(one)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err == nil {
			err = one.Check()
		}
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", len(out)+1, err)
		}
		out = append(out, one)
	}
}
