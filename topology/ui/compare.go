package ui

import "slices"

// comparison sets the answers of one server in the log against those that it has counted itself. Neither is known for
// one and the same moment, so each look tells between which bounds the difference lies, and several narrow them.
type comparison struct {
	logged int64   // lines in which the server has answered
	recent []int64 // when the latest of these ended, in Unix milliseconds

	known  bool
	count  float64 // the server's, at the last look
	zero   float64 // what it had counted that is not among logged
	before int64   // by how much zero may be too small: requests that were on their way at the first look
	lows   []int64 // of the differences at the last looks
	highs  []int64
}

const (
	remembered = 10_000 // milliseconds of recent
	looks      = 12
)

func (c *comparison) add(ended int64) {
	c.logged++
	c.recent = append(c.recent, ended)
	if c.recent[0] < ended-2*remembered {
		c.recent = slices.DeleteFunc(c.recent, func(t int64) bool { return t < ended-remembered })
	}
}

// upTo is how many of the logged answers had ended by then.
func (c *comparison) upTo(at int64) int64 {
	n := c.logged
	for _, t := range c.recent {
		if t > at {
			n--
		}
	}
	return n
}

// begin counts anew, from when the other side begins at 0.
func (c *comparison) begin() { *c = comparison{known: true} }

// look takes in the server's own count, which was read at some moment between from and to; the log is complete up to
// then. A count that went back is that of another life: counting begins anew.
func (c *comparison) look(count float64, from, to int64) {
	lo, hi := c.upTo(from-slack), c.upTo(to+slack)
	if !c.known || count < c.count {
		c.known, c.zero, c.before, c.lows, c.highs = true, count-float64(lo), hi-lo, nil, nil
	}
	c.count = count
	d := int64(count - c.zero)
	c.lows, c.highs = append(c.lows, d-hi), append(c.highs, d-lo+c.before)
	if len(c.lows) > looks {
		c.lows, c.highs = c.lows[1:], c.highs[1:]
	}
}

// slack is by how many milliseconds the log's time of an answer and the server's may differ.
const slack = 5

// most is the most that the server has counted beyond the log, 0 where nothing was compared.
func (c *comparison) most() int64 {
	if len(c.highs) == 0 {
		return 0
	}
	return max(0, slices.Min(c.highs))
}

// difference lies between lo and hi, of how many answers the server has counted that are not in the log; below 0: the
// log has more. Of the last looks it is the one that is nearest to none: who counts a moment late is not accused.
func (c *comparison) difference() (lo, hi int64, ok bool) {
	nearest := int64(-1)
	for i := range c.lows {
		if away := max(c.lows[i], -c.highs[i], 0); nearest < 0 || away <= nearest {
			nearest, lo, hi = away, c.lows[i], c.highs[i]
		}
	}
	return lo, hi, nearest >= 0
}
