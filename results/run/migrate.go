package run

import (
	"encoding/json"
	"fmt"
)

// NewerError is a record of a schema that this source does not know.
type NewerError struct{ Schema int }

func (e *NewerError) Error() string {
	return fmt.Sprintf("written by schema %d, this program knows %d: use a newer one", e.Schema, Schema)
}

// migrate brings a document of an older schema to the present one, a version at a time.
func migrate(data []byte) ([]byte, error) {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, err
	}
	if head.Schema == Schema {
		return data, nil
	}
	if head.Schema > Schema {
		return nil, &NewerError{head.Schema}
	}
	steps := []func(document) error{migrate0}
	if head.Schema < 0 {
		return nil, fmt.Errorf("schema %d does not exist", head.Schema)
	}
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	for version := head.Schema; version < Schema; version++ {
		if err := steps[version](doc); err != nil {
			return nil, fmt.Errorf("read schema %d: %w", version, err)
		}
	}
	return json.Marshal(doc)
}

type document map[string]json.RawMessage

// take moves the value under key, if there is one, into v.
func (d document) take(key string, v any) error {
	raw, ok := d[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	delete(d, key)
	return nil
}

func (d document) set(key string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	d[key] = raw
	return nil
}

// migrate0 reads the form before the schema had a number: latency in milliseconds, the requested rate under
// "rate", errors as an object, and a generator that did not say which part of its schedule it had sent.
func migrate0(doc document) error {
	var rate, actual float64
	if err := doc.take("rate", &rate); err != nil {
		return err
	}
	if raw, ok := doc["actual_rate"]; ok {
		if err := json.Unmarshal(raw, &actual); err != nil {
			return fmt.Errorf("key %q: %w", "actual_rate", err)
		}
	}
	classes := map[string]int64{}
	if err := doc.take("errors", &classes); err != nil {
		return err
	}
	counts := []ErrorCount{}
	for _, class := range sortedKeys(classes) {
		counts = append(counts, ErrorCount{class, classes[class]})
	}
	latency := map[string]float64{}
	if err := doc.take("latency_ms", &latency); err != nil {
		return err
	}
	for quantile := range latency {
		latency[quantile] /= 1000
	}
	generator := document{}
	if err := doc.take("generator", &generator); err != nil {
		return err
	}
	if _, ok := generator["send_ratio"]; !ok && rate > 0 {
		if err := generator.set("send_ratio", min(1, actual/rate)); err != nil {
			return err
		}
	}
	for key, value := range map[string]any{
		"schema": 1, "requested_rate": rate, "errors": counts, "latency_s": latency, "generator": generator,
	} {
		if err := doc.set(key, value); err != nil {
			return err
		}
	}
	return nil
}
