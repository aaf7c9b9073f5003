package app

// account is what a person signs up with.
type account struct {
	Email, Password, Name string
}

// problem is what is wrong with one field of a form.
type problem struct {
	Field, Text string
}
