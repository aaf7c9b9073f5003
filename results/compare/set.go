package compare

import (
	"slices"

	"balanceo/results/run"
)

// Set is the runs of one side of a comparison.
type Set struct {
	Name string
	Runs []*run.Record
}

// By sorts runs into sets by the value of key, in the order in which the values first occur. Runs that have no
// such value are left out and returned.
func By(runs []*run.Record, key string) (sets []Set, without []*run.Record, err error) {
	index := map[string]int{}
	for _, r := range runs {
		value, ok, err := Value(r, key)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			without = append(without, r)
			continue
		}
		i, seen := index[value]
		if !seen {
			i = len(sets)
			index[value] = i
			sets = append(sets, Set{Name: value})
		}
		sets[i].Runs = append(sets[i].Runs, r)
	}
	return sets, without, nil
}

// Path writes a key in full: "commit" is "env.commit".
func Path(key string) string {
	switch key {
	case "rate":
		return "requested_rate"
	case "duration":
		return "duration_s"
	case "os", "cpu", "cores", "go", "balancer", "nginx", "commit", "database":
		return "env." + key
	}
	return key
}

// Value is what a record says under key, a path with dots such as "layout" or "env.nginx". False where it says
// nothing there, or an empty text. A key that holds an object or a list is an error.
func Value(r *run.Record, key string) (string, bool, error) { return r.Value(Path(key)) }

// Exclusion is why runs of a set were not used.
type Exclusion struct {
	Reason string   `json:"reason"`
	Runs   []string `json:"runs"`
}

// sift takes out the runs that say nothing of the servers, and sets searches for the highest rate apart.
func sift(runs []*run.Record) (rated, searches []*run.Record, excluded []Exclusion) {
	excluded = []Exclusion{}
	exclude := func(reason string, r *run.Record) {
		for i := range excluded {
			if excluded[i].Reason == reason {
				excluded[i].Runs = append(excluded[i].Runs, r.ID)
				return
			}
		}
		excluded = append(excluded, Exclusion{reason, []string{r.ID}})
	}
	for _, r := range inOrder(runs) {
		switch why := r.WhyUseless(); {
		case why != "":
			exclude(why, r)
		case r.Search != nil:
			searches = append(searches, r)
		default:
			rated = append(rated, r)
		}
	}
	return rated, searches, excluded
}

func inOrder(runs []*run.Record) []*run.Record {
	return slices.SortedStableFunc(slices.Values(runs), func(a, b *run.Record) int { return a.Started.Compare(b.Started) })
}
