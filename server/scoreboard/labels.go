package scoreboard

import "bytes"

// RouteOther is the route of a request to no registered path, RouteMetrics the one of the counters themselves, and
// RouteHealth that of whoever wants to know whether the process serves.
const (
	RouteOther   = "other"
	RouteMetrics = "/metrics"
	RouteHealth  = "/healthz"
)

// Numbers of the methods that are told apart, the last one standing for all others, and of the classes of
// status codes.
const (
	methodCount = 4
	codeCount   = 5
)

func methodNames() [methodCount]string { return [...]string{"GET", "POST", "HEAD", "other"} }

func codeNames() [codeCount]string { return [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"} }

// labels give each combination of route, method and class of status code its counter.
type labels struct {
	routes   []string
	byPath   map[string]int
	prefixes map[int][]byte // of routes that hold every path below theirs
	folders  []int
}

// newLabels registers the routes, and the two of this package. A route that other paths may lie below, as
// "/static", counts for those too.
func newLabels(routes []string) labels {
	l := labels{byPath: map[string]int{}, prefixes: map[int][]byte{}}
	for _, r := range append(append([]string{}, routes...), RouteMetrics, RouteOther) {
		if _, known := l.byPath[r]; known {
			continue
		}
		i := len(l.routes)
		l.routes = append(l.routes, r)
		l.byPath[r] = i
		if len(r) > 1 && r != RouteOther {
			l.prefixes[i] = []byte(r + "/")
			l.folders = append(l.folders, i)
		}
	}
	return l
}

func (l *labels) counters() int { return len(l.routes) * methodCount * codeCount }

// route finds the route of a path, without allocating.
func (l *labels) route(path []byte) int {
	if i, ok := l.byPath[string(path)]; ok && l.routes[i] != RouteOther {
		return i
	}
	for _, i := range l.folders {
		if bytes.HasPrefix(path, l.prefixes[i]) {
			return i
		}
	}
	return len(l.routes) - 1
}

func method(name []byte) int {
	switch string(name) {
	case "GET":
		return 0
	case "POST":
		return 1
	case "HEAD":
		return 2
	}
	return methodCount - 1
}

// counter is the word of a slot that counts such requests.
func (l *labels) counter(route, method, status int) int {
	class := min(max(status/100, 1), codeCount) - 1
	return wordCounters + (route*methodCount+method)*codeCount + class
}
