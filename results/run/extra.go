package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// plain is Record without its methods, for the standard encoding.
type plain Record

// UnmarshalJSON reads a record of this or an older schema. Unknown keys go to Extra.
func (r *Record) UnmarshalJSON(data []byte) error {
	data, err := migrate(data)
	if err != nil {
		return err
	}
	var p plain
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	p.Extra = map[string]json.RawMessage{}
	if err := collectExtra(data, reflect.TypeFor[plain](), "", p.Extra); err != nil {
		return err
	}
	if len(p.Extra) == 0 {
		p.Extra = nil
	}
	*r = Record(p)
	return nil
}

// MarshalJSON writes the known keys in the order of the fields and, at the end of each object, what Extra
// holds for it. What belongs to an element that is no longer there is dropped.
func (r Record) MarshalJSON() ([]byte, error) {
	// What is empty is written as empty, not as null.
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
	data, err := json.Marshal(plain(r))
	if err != nil || len(r.Extra) == 0 {
		return data, err
	}
	return spliceExtra(data, "", r.Extra)
}

// collectExtra walks data along typ and notes under its path every key that typ has no field for. The inside
// of maps and of types of other packages is nobody's business.
func collectExtra(data json.RawMessage, typ reflect.Type, path string, extra map[string]json.RawMessage) error {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case string(data) == "null":
		return nil
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct:
		var elems []json.RawMessage
		if err := json.Unmarshal(data, &elems); err != nil {
			return err
		}
		for i, elem := range elems {
			if err := collectExtra(elem, typ.Elem(), path+"/"+elementName(elem, i), extra); err != nil {
				return err
			}
		}
	case typ.Kind() == reflect.Struct && typ.PkgPath() == reflect.TypeFor[plain]().PkgPath():
		var object map[string]json.RawMessage
		if err := json.Unmarshal(data, &object); err != nil {
			return err
		}
		fields := fieldsByKey(typ)
		for key, value := range object {
			field, known := fields[strings.ToLower(key)] // encoding/json matches any case
			at := path + "/" + escape(key)
			if !known {
				extra[at] = value
			} else if err := collectExtra(value, field, at, extra); err != nil {
				return err
			}
		}
	}
	return nil
}

func fieldsByKey(typ reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, typ.NumField())
	for i := range typ.NumField() {
		f := typ.Field(i)
		if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); key != "" && key != "-" {
			fields[strings.ToLower(key)] = f.Type
		}
	}
	return fields
}

// spliceExtra adds to the value data at path what extra holds below path.
func spliceExtra(data json.RawMessage, path string, extra map[string]json.RawMessage) (json.RawMessage, error) {
	var mine []string
	below := false
	for at := range extra {
		if rest, ok := strings.CutPrefix(at, path+"/"); ok {
			below = true
			if !strings.Contains(rest, "/") {
				mine = append(mine, at)
			}
		}
	}
	if !below {
		return data, nil
	}
	if bytes.HasPrefix(data, []byte("[")) {
		return spliceArray(data, path, extra)
	}
	if !bytes.HasPrefix(data, []byte("{")) {
		return data, nil
	}
	sort.Strings(mine)
	var out bytes.Buffer
	member := func(key string, value json.RawMessage) error {
		name, err := json.Marshal(key)
		if err != nil {
			return err
		}
		out.WriteString(map[bool]string{true: "{", false: ","}[out.Len() == 0])
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("object key expected, got %v", token)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		if value, err = spliceExtra(value, path+"/"+escape(key), extra); err != nil {
			return nil, err
		}
		if err := member(key, value); err != nil {
			return nil, err
		}
	}
	for _, at := range mine {
		if err := member(unescape(strings.TrimPrefix(at, path+"/")), extra[at]); err != nil {
			return nil, err
		}
	}
	if out.Len() == 0 {
		return data, nil
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func spliceArray(data json.RawMessage, path string, extra map[string]json.RawMessage) (json.RawMessage, error) {
	var elems []json.RawMessage
	if err := json.Unmarshal(data, &elems); err != nil {
		return nil, err
	}
	for i, elem := range elems {
		var err error
		if elems[i], err = spliceExtra(elem, path+"/"+elementName(elem, i), extra); err != nil {
			return nil, err
		}
	}
	return json.Marshal(elems)
}

// elementName names an element of an array by what identifies it, so that it is found again after others came
// or went: a group by its name, an upstream by its address, a route by method and path. Else by its index.
func elementName(elem json.RawMessage, index int) string {
	var id struct {
		Name, Addr, Method, Path, Class *string
		PID                             *int
	}
	if json.Unmarshal(elem, &id) == nil {
		switch {
		case id.Name != nil:
			return escape(*id.Name)
		case id.Addr != nil:
			return escape(*id.Addr)
		case id.Method != nil && id.Path != nil:
			return escape(*id.Method + " " + *id.Path)
		case id.Class != nil:
			return escape(*id.Class)
		case id.PID != nil:
			return strconv.Itoa(*id.PID)
		}
	}
	return strconv.Itoa(index)
}

// escape writes a key as a reference token of a JSON Pointer (RFC 6901, section 3).
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

func unescape(token string) string {
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}
