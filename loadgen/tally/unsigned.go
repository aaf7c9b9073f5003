package tally

// Unsigned are answers of the measured part that don't say who gave them.
type Unsigned struct {
	Total   int64
	NoGroup int64 // name a server and no group
	Errors  int64 // have a status of 400 and above
	Signed  int64 // the others
}

func (u *Unsigned) add(h *Hit) {
	u.Total++
	if h.Tried != "" && h.Group == "" {
		u.NoGroup++
	}
	if h.Status >= 400 {
		u.Errors++
	}
}

func (u *Unsigned) merge(other Unsigned) {
	u.Total += other.Total
	u.NoGroup += other.NoGroup
	u.Errors += other.Errors
}

// Unsigned returns the counts so far.
func (t *Tally) Unsigned() Unsigned {
	u := t.unsigned
	u.Signed = t.responses - u.Total
	return u
}
