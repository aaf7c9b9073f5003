package balancer

// Kind is what sort of promise a method makes.
type Kind string

// The kinds of promises.
const (
	Exact   Kind = "exact"   // each server's count stays within Within of its share
	Chance  Kind = "chance"  // each request is drawn on its own: a multinomial with the shares
	ByKey   Kind = "by key"  // the same key, the same server
	Nothing Kind = "nothing" // shares are whatever they are
)

// Promise is what may be expected of how a group shares requests while all of its servers answer.
type Promise struct {
	Kind Kind `json:"kind"`
	// Shares are those of the long run, 0..1 by address, where they are not those of the weights.
	Shares map[string]float64 `json:"shares,omitempty"`
	// Within is, for Exact, how many requests a server's count may be off its share, over any stretch of
	// requests in the order in which they were given out.
	Within float64 `json:"within,omitempty"`
	// Because is the source of the promise, or why nothing is promised: one sentence.
	Because string `json:"because"`
	// Warning is a sentence that people should know of the method with these weights.
	Warning string `json:"warning,omitempty"`
}
