package store

import "context"

// eventsKept is how many events stay. They are signals that are read within milliseconds; whoever was away for
// longer reads the products themselves.
const eventsKept = 64

func (s *Store) trimEvents(ctx context.Context) error { return nil }
