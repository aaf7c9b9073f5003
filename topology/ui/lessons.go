package ui

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/goccy/go-yaml"

	"balanceo/topology/fleet"
)

//go:embed lessons
var lessonFiles embed.FS

// words are a text by language.
type words struct {
	EN string `yaml:"en" json:"en"`
	ES string `yaml:"es" json:"es"`
}

// Lesson is one file of the folder lessons. Its README.md says what can stand in checks and sentences.
type Lesson struct {
	Title words  `yaml:"title" json:"title"`
	Why   words  `yaml:"why" json:"why"`
	Load  *Load  `yaml:"load" json:"load"` // that it needs
	Steps []Step `yaml:"steps" json:"steps"`
	Undo  []any  `yaml:"undo" json:"undo"` // actions that put back what the lesson has changed
	Found words  `yaml:"found" json:"found"`
}

// Step is one thing to press, and what is to be seen then.
type Step struct {
	Name    string   `yaml:"name" json:"name"` // by which the sentence of the lesson refers to what the step measured
	Press   words    `yaml:"press" json:"press"`
	Act     any      `yaml:"act" json:"act"`         // an action, as POST /api/actions takes it; none: there is nothing to press
	Command string   `yaml:"-" json:"command"`       // the command line that does the same
	Watch   words    `yaml:"watch" json:"watch"`     //
	Seconds int      `yaml:"seconds" json:"seconds"` // how long is looked at
	Check   []string `yaml:"check" json:"check"`     // what has to hold over these seconds
}

// Lessons are all of them in the order of their files' names.
func Lessons() []Lesson {
	all, err := readLessons(lessonFiles)
	if err != nil {
		panic(err) // a test reads the same files
	}
	return all
}

func readLessons(files fs.FS) ([]Lesson, error) {
	names, err := fs.Glob(files, "lessons/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []Lesson
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var l Lesson
		in := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
		if err := in.Decode(&l); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range l.Steps {
			a, err := action(l.Steps[i].Act)
			if err != nil {
				return nil, fmt.Errorf("%s: step %d: %w", name, i+1, err)
			}
			if a != nil {
				l.Steps[i].Command = "topology " + a.String()
			}
		}
		for i, u := range l.Undo {
			if _, err := action(u); err != nil {
				return nil, fmt.Errorf("%s: undo %d: %w", name, i+1, err)
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// action reads an action as a lesson writes it.
func action(v any) (*fleet.Action, error) {
	if v == nil {
		return nil, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var a fleet.Action
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&a); err != nil {
		return nil, err
	}
	return &a, nil
}
