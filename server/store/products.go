package store

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// ProductID identifies a product. The page may choose it, so that a product that is sent again after a lost
// connection is saved once.
type ProductID = bson.ObjectID

// Product is one entry of the list.
type Product struct {
	ID        ProductID `bson:"_id" json:"id"`
	Title     string    `bson:"title" json:"title"`
	Price     float64   `bson:"price" json:"price"`
	Thumbnail string    `bson:"thumbnail" json:"thumbnail"`
	TimeStamp time.Time `bson:"timeStamp" json:"timeStamp"` // when it was saved, to the millisecond
}

// AddProduct saves p and tells all followers. A product whose id is known already is the same product, sent
// again: that is no error and changes nothing. After ErrUnavailable it may have been saved or not, and may be saved
// later, by a database that hangs: sending it again is how to be sure.
func (s *Store) AddProduct(ctx context.Context, p Product) error {
	products := s.db.Collection(ProductsName)
	_, err := products.InsertOne(ctx, p)
	if mongo.IsDuplicateKeyError(err) { // whoever saved it may not have come to tell it
		err = products.FindOne(ctx, bson.D{{Key: "_id", Value: p.ID}}).Decode(&p)
	}
	if err != nil {
		return asked("adding a product", err)
	}
	// Saved is saved: where the event is lost, followers find the product when they sweep.
	s.publish(ctx, Change{Product: &p})
	return nil
}

// CreateNewest makes the collection of the newest products. It is for the process of the database, which then has to see
// that they are in it.
func (s *Store) CreateNewest(ctx context.Context) error {
	return s.create(ctx, NewestName, options.CreateCollection())
}

// Newest returns the newest n products, newest first.
func (s *Store) Newest(ctx context.Context, n int) ([]Product, error) {
	from := ProductsName
	if n <= NewestTold && s.hearing.keepsNewest() {
		from = NewestName
	}
	order := bson.D{{Key: "timeStamp", Value: -1}}
	return s.products(ctx, from, bson.D{}, options.Find().SetSort(order).SetLimit(int64(n)))
}

// productsSince returns the products saved at or after a time, oldest first.
func (s *Store) productsSince(ctx context.Context, since time.Time) ([]Product, error) {
	if s.hearing.keepsNewest() {
		newest, err := s.Newest(ctx, NewestTold)
		if err != nil {
			return nil, err
		}
		if len(newest) < NewestTold || newest[len(newest)-1].TimeStamp.Before(since) {
			newest = slices.DeleteFunc(newest, func(p Product) bool { return p.TimeStamp.Before(since) })
			slices.Reverse(newest)
			return newest, nil
		}
	}
	order := bson.D{{Key: "timeStamp", Value: 1}}
	return s.products(ctx, ProductsName, bson.D{{Key: "timeStamp", Value: bson.D{{Key: "$gte", Value: since}}}}, options.Find().SetSort(order))
}

func (s *Store) products(ctx context.Context, from string, filter bson.D, opt *options.FindOptionsBuilder) ([]Product, error) {
	cursor, err := s.db.Collection(from).Find(ctx, filter, opt)
	if err != nil {
		return nil, asked("reading products", err)
	}
	products := []Product{}
	if err := cursor.All(ctx, &products); err != nil {
		return nil, asked("reading products", err)
	}
	return products, nil
}
