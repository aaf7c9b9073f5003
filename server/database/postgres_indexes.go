package database

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"balanceo/server/store"
)

// metadata is the table in which FerretDB takes down which table is which collection.
const metadata = "_ferretdb_database_metadata"

// indexMark is in the names of our indexes, which FerretDB does not know: TABLE_by_FIELD.
const indexMark = "_by_"

// indexPostgres lets FerretDB find what a request asks for without reading whole tables. It looks a document up by
// containment, which its own index does not serve, and sorts all of a collection for its newest: these it finds in a
// collection of their own, which is a view.
func indexPostgres(ctx context.Context, conn *pgx.Conn, s *store.Store) error {
	for _, c := range store.Indexed() {
		if err := indexField(ctx, conn, c, "_id"); err != nil {
			return err
		}
	}
	if err := indexField(ctx, conn, store.UsersName, "email"); err != nil { // of users who signed up with an earlier version
		return err
	}
	if err := s.CreateNewest(ctx); err != nil {
		return err
	}
	if err := viewNewest(ctx, conn); err != nil {
		return fmt.Errorf("the newest products: %w", err)
	}
	return s.Announce(ctx, 0, "")
}

// indexField makes the index by which FerretDB finds documents of a collection that have a value in a field.
func indexField(ctx context.Context, conn *pgx.Conn, collection, field string) error {
	table, err := tableOf(ctx, conn, collection)
	if err != nil {
		return err
	}
	index := fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON %s USING gin ((_jsonb->'%s') jsonb_path_ops) WITH (fastupdate = off)",
		pgx.Identifier{table + indexMark + field}.Sanitize(), inSchema(table), field)
	if _, err := conn.Exec(ctx, index); err != nil {
		return fmt.Errorf("indexing %q of collection %q: %w", field, collection, err)
	}
	return nil
}

// viewNewest puts a view where FerretDB has made a table for the newest products.
func viewNewest(ctx context.Context, conn *pgx.Conn) error {
	products, err := tableOf(ctx, conn, store.ProductsName)
	if err != nil {
		return err
	}
	newest, err := tableOf(ctx, conn, store.NewestName)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var isTable bool
		const find = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = $2)"
		if err := tx.QueryRow(ctx, find, store.DatabaseName, newest).Scan(&isTable); err != nil {
			return err
		}
		if isTable {
			if _, err := tx.Exec(ctx, "DROP TABLE "+inSchema(newest)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(`CREATE OR REPLACE VIEW %s AS SELECT _jsonb FROM %s
			WHERE _jsonb->'timeStamp' IS NOT NULL ORDER BY _jsonb->'timeStamp' DESC LIMIT %d`, inSchema(newest), inSchema(products), store.NewestTold))
		return err
	})
}

// purgeMost is how many expired documents of a collection are removed at once.
const purgeMost = 10_000

// purge removes what has expired, by FerretDB's index of that time, which FerretDB itself does not use.
func purge(ctx context.Context, conn *pgx.Conn) error {
	for _, c := range store.Expiring() {
		table, err := tableOf(ctx, conn, c)
		if err != nil {
			return err
		}
		expired := fmt.Sprintf(`DELETE FROM %s WHERE ctid = ANY(ARRAY(SELECT ctid FROM %[1]s
			WHERE _jsonb->'expiresAt' <= to_jsonb($1::bigint) AND _jsonb->'expiresAt' >= '0' LIMIT %d))`, inSchema(table), purgeMost)
		if _, err := conn.Exec(ctx, expired, time.Now().UnixMilli()); err != nil {
			return fmt.Errorf("removing what has expired from %q: %w", c, err)
		}
	}
	return nil
}

// tableOf is the table of a collection.
func tableOf(ctx context.Context, conn *pgx.Conn, collection string) (table string, err error) {
	if err = conn.QueryRow(ctx, "SELECT _jsonb->>'table' FROM "+inSchema(metadata)+" WHERE _jsonb->>'_id' = $1", collection).Scan(&table); err != nil {
		return "", fmt.Errorf("table of collection %q: %w", collection, err)
	}
	return table, nil
}

func inSchema(table string) string { return pgx.Identifier{store.DatabaseName, table}.Sanitize() }

// planned is the address with which queries are planned for what they ask each time: in FerretDB's, which field it is, is a
// parameter without whose value no index serves, and what was planned for a few documents is wrong for many.
func planned(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	query := u.Query()
	query.Set("plan_cache_mode", "force_custom_plan")
	u.RawQuery = query.Encode()
	return u.String()
}
