package app

import (
	"testing"

	"balanceo/server/store/storetest"
)

// What depends on the database holds on another server of the same protocol, too, which runs on PostgreSQL.
func TestOnPostgres(t *testing.T) {
	storetest.OnPostgres(t, "^Test(Account|SessionIDIsNewAtSignIn|SessionExpires|ManySignupsOfOneEmail|Guessing|SigningOutIsMeant|"+
		"DatabaseOutage|DatabaseComesLater|ProductReachesEveryProcess|SameProductSentTwiceIsSavedOnce|WriteNeedsLivingSession)$")
}
