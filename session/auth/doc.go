// Package auth drives the authentication of a user over SSH (RFC 4252): keys
// first, then the server's questions (RFC 4256) or, where it has none, the
// password. What the server asks and says goes to the person as it comes, in
// order; every answer is the person's, sent once, as it was given.
//
// Whatever the server does, the dialogue ends: the number and the size of
// questions, texts and rounds are bounded.
package auth
