package localapps

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Request asks for a program.
type Request struct {
	ID      uint32   // the mailbox's own, never used twice
	Args    []string // a name or a path on the client, and its arguments: UTF-8 without NUL
	Dir     string   // absolute working directory of who asks, on the server; empty where it is not known
	Startup string   // the startup notification's id (DESKTOP_STARTUP_ID); empty for none
	Wait    bool     // the asker waits for the program's end
	Legacy  bool     // by LTSP_COMMAND: nobody hears what becomes of it
}

// The values of State.Name.
const (
	Accepted = "accepted"  // the request has arrived
	Denied   = "denied"    // the client's policy forbids it, or there are too many
	NotFound = "not found" // the client has no such program
	Failed   = "failed"    // it is allowed and there, and could not be started
	Started  = "started"   // it runs; Exited follows
	Exited   = "exited"    // it has ended
)

// State is what has become of a Request.
type State struct {
	Name   string
	PID    int    // on the client, where it is Started
	Status int    // where it is Exited: as a shell has it, 128 and more for a signal
	Reason string // a sentence for who asked, where it is Denied, NotFound or Failed
}

// last reports whether no other state follows.
func (s State) last() bool { return s.Name != Accepted && s.Name != Started }

// Runner runs programs. Run starts one and returns without waiting for it; it
// reports, from any goroutine, Started and Exited, or why not. ctx ends with the
// mailbox's service, not with the request.
type Runner interface {
	Run(ctx context.Context, r Request, report func(State))
}

// Bounds of a request, in bytes but for the number of words.
const (
	MaxArgs    = 32 << 10 // all words together, each with its end
	maxWords   = 1024
	maxDir     = 4096
	maxStartup = 255
)

// BadRequest is a request that nobody could meet.
type BadRequest struct{ Reason string }

func (e *BadRequest) Error() string { return e.Reason }

// check says what is wrong with a request.
func (r *Request) check() error {
	if len(r.Args) == 0 || r.Args[0] == "" {
		return errors.New("no program is named")
	}
	size := 0
	for i, arg := range r.Args {
		size += len(arg) + 1
		if !utf8.ValidString(arg) || strings.ContainsRune(arg, 0) {
			return fmt.Errorf("word %d of the command is not UTF-8 text", i+1)
		}
	}
	switch {
	case size > MaxArgs:
		return fmt.Errorf("the command is longer than %d bytes", MaxArgs)
	case len(r.Args) > maxWords:
		return fmt.Errorf("the command has more than %d words", maxWords)
	case r.Dir != "" && !isDir(r.Dir):
		return errors.New("the working directory is no absolute path")
	case !isStartup(r.Startup):
		return errors.New("the startup notification's id is none")
	}
	return nil
}

// tidy leaves out what is no more than a hint, where it makes no sense.
func (r *Request) tidy() {
	if !isDir(r.Dir) {
		r.Dir = ""
	}
	if !isStartup(r.Startup) {
		r.Startup = ""
	}
}

func isDir(dir string) bool {
	return path.IsAbs(dir) && len(dir) <= maxDir && utf8.ValidString(dir) && !strings.ContainsRune(dir, 0)
}

func isStartup(id string) bool {
	return len(id) <= maxStartup && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}
