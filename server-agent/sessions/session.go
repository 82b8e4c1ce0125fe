package sessions

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"goldm/internal/text"
)

// Session is a desktop session of a user.
type Session struct {
	ID     string    `json:"id"`
	User   string    `json:"user"`
	Server string    `json:"server"` // host name of the server that it runs on
	Client string    `json:"client"` // host name of the client, else its address; empty where unknown
	Began  time.Time `json:"began"`  // by the server's clock
}

// The variables in the environment of a session's processes.
const (
	IDVariable    = "LTSP_SESSION_ID"
	BeganVariable = "LTSP_SESSION_BEGAN" // of keeper and wrapper only; time.RFC3339
)

// How the processes of a session are started.
const (
	Keeper  = "ltsp-session-keeper" // the keeper's name, as ps(1) shows it
	Wrapper = "ltsp-server-agent"   // the wrapper's
	Desktop = "desktop"             // the wrapper's first argument

	// endingComm is the wrapper's name in /proc/PID/comm once its session ends.
	endingComm = "ltsp-ending"
)

// maxList bounds the sessions that are listed.
const maxList = 10000

// List returns the sessions that this process may see, the oldest first.
func List(ctx context.Context) ([]Session, error) {
	found, err := scan()
	var list []Session
	ctx, cancel := context.WithTimeout(ctx, userLimit) // for all of them
	defer cancel()
	name := userNames(ctx)
	for _, p := range found {
		if p.keeper || len(list) == maxList {
			continue
		}
		s := p.session
		s.User = name(p.uid)
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Session) int {
		return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// Count returns the number of sessions of all users. It takes no rights, but
// where /proc hides other users' processes it counts none of them.
func Count() (int, error) {
	n := 0
	err := walk(func(_ int, argv []string) {
		if isKeeper(argv) {
			n++
		}
	})
	return n, err
}

// Others returns the sessions of this process's user on this server but for the one named
// and those that are ending.
func Others(ctx context.Context, id string) ([]Session, error) {
	found, err := scan()
	name := userNames(ctx)
	var list []Session
	for _, p := range found {
		if p.isOther(id) && !p.ending && len(list) < maxList {
			s := p.session
			s.User = name(p.uid)
			list = append(list, s)
		}
	}
	return list, err
}

// isOther tells whether p is the wrapper of another session of this user.
func (p process) isOther(id string) bool {
	return !p.keeper && p.uid == os.Getuid() && p.session.ID != id
}

// MarkEnding makes the session of this process, its wrapper, one that ends.
func MarkEnding() error {
	return os.WriteFile("/proc/self/comm", []byte(endingComm), 0)
}

// maxName bounds the name of a client, in characters: that of a host, without its domain.
const maxName = 63

// newSession reads what a process was started with. It has no User yet.
func newSession(env environment) (Session, bool) {
	s := Session{
		ID:     env.get(IDVariable),
		Server: hostname(),
		Client: env.client(),
	}
	s.Began, _ = time.Parse(time.RFC3339, env.get(BeganVariable))
	return s, ValidID(s.ID)
}

// client returns the name of the client of a session; empty where it is unknown.
func (e environment) client() string {
	return text.Line(cmp.Or(e.get("LTSP_CLIENT_HOSTNAME"), e.get("LTSP_CLIENT")), maxName)
}

// Here returns the name of the client of this process's own session, or else of
// this server.
func Here() string {
	env := environment(strings.Join(os.Environ(), "\x00"))
	return cmp.Or(env.client(), hostname())
}

// ValidID tells whether an id may be a session's. It is part of paths.
func ValidID(id string) bool {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	return id != "" && len(id) <= 64 && !slices.ContainsFunc([]rune(id), odd)
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
