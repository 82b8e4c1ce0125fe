// Package prompt is the conversation between a server and a person, free of
// any screen: the questions that SSH authentication raises, in the server's own
// words and order, and the texts that come between them.
package prompt

import "context"

// Question is one question of a server (RFC 4256, section 3.2) or of ours.
type Question struct {
	Text string // as the server sent it; the screen makes it harmless
	Echo bool   // whether the answer may be shown while it is typed
}

// Notice is text to show that wants no answer.
type Notice struct {
	Text  string
	Error bool // something went wrong, such as a password that was too short
}

// Prompter asks a person. Each call waits until the person has answered, or
// has seen the notice, or ctx is done.
type Prompter interface {
	Ask(ctx context.Context, q Question) (answer string, err error)
	Show(ctx context.Context, n Notice) error
}
