package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// NewerError is a record of a schema that this source does not know.
type NewerError struct{ Schema int }

func (e *NewerError) Error() string {
	return fmt.Sprintf("written by schema %d, this program knows %d: use a newer one", e.Schema, Schema)
}

// MarshalJSON writes what is empty as empty, not as null.
func (r Record) MarshalJSON() ([]byte, error) {
	if r.Status == nil {
		r.Status = map[string]int64{}
	}
	if r.Errors == nil {
		r.Errors = []ErrorCount{}
	}
	if r.Groups == nil {
		r.Groups = []Group{}
	}
	if r.Routes == nil {
		r.Routes = []Route{}
	}
	type plain Record // without this method
	return json.Marshal(plain(r))
}

// WriteJSON writes a record, or what is told of records, as people read it.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// Decode reads the JSON of one record and checks it. A record of a newer schema is a NewerError, whatever else it
// holds. The error is one line.
func Decode(data []byte) (*Record, error) {
	var head struct{ Schema int }
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, describe(data, err)
	}
	if head.Schema > Schema {
		return nil, &NewerError{head.Schema}
	}
	r := new(Record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, describe(data, err)
	}
	if err := r.Check(); err != nil {
		return nil, oneLine(err)
	}
	return r, nil
}

// describe says where in the file the syntax breaks.
func describe(data []byte, err error) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("the file is empty")
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := min(int(syntax.Offset), len(data))
		return fmt.Errorf("not JSON in line %d: %w", 1+bytes.Count(data[:at], []byte("\n")), err)
	}
	return err
}

func oneLine(err error) error { return errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")) }

// Value is what r's JSON holds under path, keys joined by dots such as "env.nginx". False where r says nothing there,
// or an empty text. A key that holds an object or a list is an error.
func (r *Record) Value(path string) (string, bool, error) {
	at := reflect.ValueOf(r)
	for key := range strings.SplitSeq(path, ".") {
		if at = field(at, key); !at.IsValid() {
			return "", false, nil
		}
	}
	if t, ok := at.Interface().(interface{ MarshalText() ([]byte, error) }); ok {
		text, err := t.MarshalText()
		return string(text), err == nil, err
	}
	switch at = reflect.Indirect(at); at.Kind() {
	case reflect.Invalid:
		return "", false, nil
	case reflect.String:
		return at.String(), at.String() != "", nil
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(at.Int(), 10), true, nil
	case reflect.Float64:
		return strconv.FormatFloat(at.Float(), 'f', -1, 64), true, nil
	case reflect.Bool:
		return strconv.FormatBool(at.Bool()), true, nil
	}
	return "", false, fmt.Errorf("key %q holds no single value", path)
}

// field is what v holds under a key of its JSON; the zero Value where it has no such key.
func field(v reflect.Value, key string) reflect.Value {
	switch v = reflect.Indirect(v); v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); name == key {
				return v.Field(i)
			}
		}
	case reflect.Map:
		return v.MapIndex(reflect.ValueOf(key))
	}
	return reflect.Value{}
}
