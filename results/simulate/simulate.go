// Package simulate plays balancers that don't know of each other over many upstreams, and counts how far from fair the
// sum of what they do is. Each method picks as the balancers do: in a fixed rotation, at random, or by the requests that
// this one balancer has under way.
package simulate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Config is a system and its load.
type Config struct {
	Upstreams int     // all equal, or with weights 1, 2, 3, 1, 2, 3 … where Weighted
	Balancers int     // each gets any request with equal probability
	Busy      float64 // requests under way for each upstream, on average
	Weighted  bool
	Seed      uint64
}

// Snapshot is how far from fair things were after so many requests.
type Snapshot struct {
	Requests int64   `json:"requests"`
	Worst    float64 `json:"worst"`    // requests by which an upstream differs most from its share
	Relative float64 `json:"relative"` // the same as a part of its share
	Busiest  float64 `json:"busiest"`  // most requests that were under way at an upstream at once, over the average
}

// Method is a way to choose an upstream.
type Method struct {
	Name string // in the words of a balancer
	make func(c Config, rng *rand.Rand) picker
}

// picker chooses for one balancer. busy are the requests that this balancer has under way at each upstream.
type picker func(busy []int32) int

// Methods are what can be played.
func Methods() []Method {
	return []Method{
		{Name: "round robin, smooth (nginx)", make: rotation(smooth, false)},
		{Name: "round robin, smooth, random start", make: rotation(smooth, true)},
		{Name: "round robin, earliest first (HAProxy, Traefik)", make: rotation(earliest, false)},
		{Name: "random", make: random},
		{Name: "two choices, fewer under way", make: twoChoices},
		{Name: "least connections (nginx)", make: leastConnections},
	}
}

// Play sends requests and reports whenever their number reaches one of at, which is in order. A request lasts as long as
// a random number of others take to arrive, exponentially distributed.
func (m Method) Play(c Config, at []int64) []Snapshot {
	rng := rand.New(rand.NewPCG(c.Seed, 0))
	weights, total := c.weights()
	pick := make([]picker, c.Balancers)
	busy := make([][]int32, c.Balancers)
	for b := range pick {
		pick[b] = m.make(c, rng)
		busy[b] = make([]int32, c.Upstreams)
	}
	under := newWheel(c.Busy * float64(c.Upstreams))
	counts, load := make([]int64, c.Upstreams), make([]int32, c.Upstreams)
	var busiest int32
	var out []Snapshot
	for n := int64(1); len(out) < len(at); n++ {
		for _, ended := range under.step() {
			load[ended.upstream]--
			busy[ended.balancer][ended.upstream]--
		}
		b := rng.IntN(c.Balancers)
		u := pick[b](busy[b])
		counts[u]++
		load[u]++
		busy[b][u]++
		busiest = max(busiest, load[u])
		under.add(request{int32(b), int32(u)}, rng.ExpFloat64())
		if n == at[len(out)] {
			s := Snapshot{Requests: n, Busiest: float64(busiest) / c.Busy}
			for u, got := range counts {
				share := float64(n) * float64(weights[u]) / float64(total)
				if apart := math.Abs(float64(got) - share); apart > s.Worst {
					s.Worst, s.Relative = apart, apart/share
				}
			}
			out = append(out, s)
		}
	}
	return out
}

func (c Config) weights() ([]int, int) {
	out, total := make([]int, c.Upstreams), 0
	for i := range out {
		out[i] = 1
		if c.Weighted {
			out[i] += i % 3
		}
		total += out[i]
	}
	return out, total
}

// rotation makes pickers that go round in a sequence: after as many requests as the weights add up to it repeats.
func rotation(sequence func(weights []int, total int) []int32, anywhere bool) func(Config, *rand.Rand) picker {
	return func(c Config, rng *rand.Rand) picker {
		order := sequence(c.weights())
		next := 0
		if anywhere {
			next = rng.IntN(len(order))
		}
		return func([]int32) int {
			u := order[next]
			if next++; next == len(order) {
				next = 0
			}
			return int(u)
		}
	}
}

// smooth is nginx's weighted round robin: each gains its weight, the richest is taken and pays the sum.
func smooth(weights []int, total int) []int32 {
	current := make([]int, len(weights))
	order := make([]int32, total)
	for i := range order {
		best := 0
		for u, w := range weights {
			current[u] += w
			if current[u] > current[best] {
				best = u
			}
		}
		current[best] -= total
		order[i] = int32(best)
	}
	return order
}

// earliest takes the upstream with the earliest place in the rotation, which then moves on by total/weight.
func earliest(weights []int, total int) []int32 {
	type turn struct {
		upstream int32
		place    float64
	}
	var turns []turn
	for u, w := range weights {
		for k := range w {
			turns = append(turns, turn{int32(u), float64(k+1) * float64(total) / float64(w)})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int {
		switch {
		case a.place < b.place-1e-9:
			return -1
		case a.place > b.place+1e-9:
			return 1
		}
		return 0
	})
	order := make([]int32, total)
	for i, t := range turns {
		order[i] = t.upstream
	}
	return order
}

// owners has each upstream as often as its weight is.
func (c Config) owners() []int32 {
	weights, _ := c.weights()
	var out []int32
	for u, w := range weights {
		for range w {
			out = append(out, int32(u))
		}
	}
	return out
}

func random(c Config, rng *rand.Rand) picker {
	owners := c.owners()
	return func([]int32) int { return int(owners[rng.IntN(len(owners))]) }
}

func twoChoices(c Config, rng *rand.Rand) picker {
	owners := c.owners()
	weights, _ := c.weights()
	return func(busy []int32) int {
		a, b := owners[rng.IntN(len(owners))], owners[rng.IntN(len(owners))]
		if int(busy[b])*weights[a] < int(busy[a])*weights[b] {
			return int(b)
		}
		return int(a)
	}
}

// leastConnections takes the upstream with the fewest requests under way for its weight; of several it goes round.
func leastConnections(c Config, _ *rand.Rand) picker {
	weights, _ := c.weights()
	from := 0
	return func(busy []int32) int {
		best := from
		for k := range busy {
			u := from + k
			if u >= len(busy) {
				u -= len(busy)
			}
			if int(busy[u])*weights[best] < int(busy[best])*weights[u] {
				best = u
			}
			if busy[best] == 0 {
				break
			}
		}
		if from = best + 1; from == len(busy) {
			from = 0
		}
		return best
	}
}

// request is one that is under way.
type request struct{ balancer, upstream int32 }

// wheel holds the requests under way by the arrival at which they end.
type wheel struct {
	mean  float64 // arrivals that a request lasts
	slots [][]request
	now   int
}

// longest is how many times the mean a request lasts at most: one in 10^9 would last longer.
const longest = 21

func newWheel(mean float64) *wheel {
	return &wheel{mean: mean, slots: make([][]request, int(longest*mean)+2)}
}

// step goes on to the next arrival and returns what has ended until then. It is valid until the next call.
func (w *wheel) step() []request {
	if w.now++; w.now == len(w.slots) {
		w.now = 0
	}
	ended := w.slots[w.now]
	w.slots[w.now] = ended[:0]
	return ended
}

func (w *wheel) add(r request, lasts float64) {
	at := (w.now + 1 + min(int(lasts*w.mean), len(w.slots)-2)) % len(w.slots)
	w.slots[at] = append(w.slots[at], r)
}
