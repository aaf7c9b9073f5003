package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Latest is the reference that means the run that was started last, of those in which anything was answered. Parts
// of a merged record are passed over.
const Latest = "latest"

// ErrNoRuns is the answer to any reference where there are no runs at all.
var ErrNoRuns = errors.New("there are no runs yet")

// ErrNoAnswers is the answer to "latest" where no run has an answer in it.
var ErrNoAnswers = errors.New("in no run was anything answered")

// NotFoundError is a reference that no run answers to.
type NotFoundError struct{ Ref string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("no run %q", e.Ref) }

// AmbiguousError is a reference that several runs answer to.
type AmbiguousError struct {
	Ref        string
	Candidates []string // ids, oldest first
}

func (e *AmbiguousError) Error() string {
	const most = 6
	ids := e.Candidates
	more := ""
	if len(ids) > most {
		more = fmt.Sprintf(" and %d more", len(ids)-most)
		ids = ids[:most]
	}
	return fmt.Sprintf("run %q is ambiguous: %s%s", e.Ref, strings.Join(ids, ", "), more)
}

// Resolve finds a run by its id, an unambiguous beginning of its id or of the random end of its id, or "latest".
// The runs are those of List.
func Resolve(runs []*Record, ref string) (*Record, error) {
	if len(runs) == 0 {
		return nil, ErrNoRuns
	}
	if ref == Latest {
		merged := map[string]bool{} // parts of a record that speaks for them
		for _, r := range runs {
			for _, p := range r.Parts {
				merged[p.Run] = true
			}
		}
		runs = slices.DeleteFunc(slices.Clone(runs), func(r *Record) bool { return r.Responses == 0 || merged[r.ID] })
		if len(runs) == 0 {
			return nil, ErrNoAnswers
		}
		return slices.MaxFunc(runs, func(a, b *Record) int { return a.Started.Compare(b.Started) }), nil
	}
	var found []*Record
	for _, r := range runs {
		if r.ID == ref {
			return r, nil
		}
		random := r.ID[strings.LastIndex(r.ID, "-")+1:]
		if ref != "" && (strings.HasPrefix(r.ID, ref) || strings.HasPrefix(random, ref)) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return nil, &NotFoundError{ref}
	case 1:
		return found[0], nil
	}
	ambiguous := &AmbiguousError{Ref: ref}
	for _, r := range found {
		ambiguous.Candidates = append(ambiguous.Candidates, r.ID)
	}
	return nil, ambiguous
}
