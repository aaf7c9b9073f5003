package store

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// User is somebody who signed up. A user is kept under the e-mail: FerretDB finds a document at once by its _id
// alone, and looks through all others for anything else.
type User struct {
	Email    string `bson:"email"`    // unique, in lower case
	Password string `bson:"password"` // bcrypt hash
	Name     string `bson:"name"`
}

// Errors that callers tell apart.
var (
	ErrEmailTaken = errors.New("e-mail is taken")
	ErrNotFound   = errors.New("not found")
)

// AddUser saves u, or returns ErrEmailTaken.
func (s *Store) AddUser(ctx context.Context, u User) error {
	select {
	case <-s.prepared: // without its index, an e-mail could be saved twice
	case <-ctx.Done():
		return fmt.Errorf("store: adding a user: %w: %w", ErrUnavailable, ctx.Err())
	}
	_, err := s.atOnce(UsersName).InsertOne(ctx, struct {
		ID   string `bson:"_id"`
		User `bson:",inline"`
	}{u.Email, u})
	if mongo.IsDuplicateKeyError(err) {
		return ErrEmailTaken
	}
	return asked("adding a user", err)
}

// User returns the user with the e-mail, or ErrNotFound.
func (s *Store) User(ctx context.Context, email string) (User, error) {
	var u User
	err := s.atOnce(UsersName).FindOne(ctx, byKey(email)).Decode(&u)
	if errors.Is(err, mongo.ErrNoDocuments) && !s.hearing.usersKeyed() { // who signed up with an earlier version has another _id
		err = s.atOnce(UsersName).FindOne(ctx, bson.D{{Key: "email", Value: email}}).Decode(&u)
	}
	if errors.Is(err, mongo.ErrNoDocuments) {
		return User{}, ErrNotFound
	}
	return u, asked("reading a user", err)
}
