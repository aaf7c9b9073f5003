package store_test

import (
	"testing"

	"balanceo/server/store/storetest"
)

// Everything holds on another server of the same protocol, too, which runs on PostgreSQL.
func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t, "^Test") }
