package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"balanceo/server/store"
	"balanceo/server/store/storetest"
)

// BenchmarkDatabase does what a request does, one after the other, on the embedded database and on PostgreSQL.
func BenchmarkDatabase(b *testing.B) {
	for _, on := range []string{"sqlite", "postgres"} {
		b.Run("on="+on, func(b *testing.B) {
			server := ""
			if on == "postgres" {
				server = storetest.StartPostgres(b)
			}
			s := storetest.Open(b, storetest.RunOn(b, server))
			ctx := context.Background()
			<-s.Prepared()
			do := func(name string, f func(i int) error) {
				b.Run("do="+name, func(b *testing.B) {
					for i := 0; b.Loop(); i++ {
						if err := f(i); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			id := 0
			do("add", func(int) error {
				id++
				return s.AddUser(ctx, store.User{Email: fmt.Sprintf("%d@example.com", id), Password: "hash", Name: "A"})
			})
			do("find", func(int) error { _, err := s.User(ctx, "1@example.com"); return err })
			do("renew", func(i int) error { return s.RenewSession(ctx, "k", time.Now().Add(time.Duration(i)*time.Second)) })
			do("product", func(i int) error { return s.AddProduct(ctx, product(i)) })
		})
	}
}
