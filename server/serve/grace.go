package serve

import "time"

// How long whoever ends something waits for it. Each has to outlast the one before it: a worker that is given
// less time by its master than it takes to drain loses requests.
const (
	// quietTime is how long a connection has to be idle before a process that drains closes it.
	quietTime = 300 * time.Millisecond

	// OrphanLimit bounds the draining of a process whose parent has died and for whose end nobody waits.
	OrphanLimit = 500 * time.Millisecond

	// DrainLimit bounds the draining of a process.
	DrainLimit = 7 * time.Second

	// WorkerGrace is how long a master waits for a worker that it told to end.
	WorkerGrace = 8 * time.Second

	// WithdrawTime is how long a pod goes on serving before it is told to end: whoever sends to it hears that it is
	// going later than the pod itself does. In a rollout under 300/s nothing was lost with it, and 5 of 4,500 without.
	WithdrawTime = 3 * time.Second

	// InstanceGrace is how long whoever started an instance, or a pod, should wait for its end.
	InstanceGrace = 10 * time.Second
)

// How long a worker lives without a sign of life. A master ends one that has given none for Silence; the limit is
// far above what a busy machine holds a process up.
const (
	BeatPeriod = 500 * time.Millisecond
	Silence    = 5 * time.Second
)
