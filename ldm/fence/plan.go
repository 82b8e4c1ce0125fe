package fence

import (
	"encoding/json"
	"fmt"

	"golang.org/x/sys/unix"

	"goldm/internal/landlock"
	"goldm/internal/privs"
)

// Duty is what a program is for, which decides what stays for it.
type Duty string

// Duties.
const (
	// Plain is any program of another's, such as the X server or a foreign
	// greeter: it becomes its user, and no more is taken.
	Plain Duty = "plain"

	Greeter Duty = "greeter" // our own
	Worker  Duty = "worker"
	Probe   Duty = "probe"
)

// Plan says what becomes of a process.
type Plan struct {
	Duty   Duty
	User   privs.User
	Parent int // the pid of the daemon

	// Keep is what stays of root's capabilities where the user is root.
	Keep privs.Capabilities `json:",omitempty"`

	// Own gives the process mounts of its own with a /proc of its own. It is in new mount and
	// pid namespaces: Namespaces.
	Own bool `json:",omitempty"`

	// Read are files and folders that the program may read besides what its duty has, and Home is
	// a folder that is the program's own.
	Read []string `json:",omitempty"`
	Home string   `json:",omitempty"`

	// Report is the descriptor of a socket that takes the file of package seccomp on which the
	// daemon hears of refused calls; 0 for none.
	Report int `json:",omitempty"`
}

// Namespaces are those that a plan with Own needs, as flags of clone(2). Workers of two
// logins are one user: this way none sees another, and what one leaves behind ends
// with it.
const Namespaces = unix.CLONE_NEWPID | unix.CLONE_NEWNS

// Words are those that stand between the command that calls Main and the program.
func (p Plan) Words() []string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // it holds numbers and text
	}
	return []string{string(text)}
}

// allowance is what a duty leaves a program.
type allowance struct {
	files    []landlock.Path
	ports    landlock.Ports // refused
	scopes   landlock.Scope // refused
	families []int
}

// allowed returns what stays for a program, by its path.
func (p Plan) allowed(program string) (*allowance, error) {
	a := &allowance{
		files: append(everybody(), landlock.Path{Name: program, Right: landlock.Execute | landlock.ReadFile}),
		ports: landlock.BindTCP, scopes: landlock.Signals | landlock.AbstractSockets,
	}
	switch p.Duty {
	case Probe:
		a.files = append(a.files, naming()...)
		a.families = []int{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}
	case Worker:
		a.files = append(append(a.files, naming()...), menus()...)
		a.families = []int{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK, unix.AF_UNIX}
	case Greeter:
		a.files = append(a.files, toolkit()...)
		a.ports |= landlock.ConnectTCP
		// libxcb tries the X server's abstract name first, and gives up where it is refused.
		a.scopes = landlock.Signals
		a.families = []int{unix.AF_UNIX}
	default:
		return nil, fmt.Errorf("fence: %q", p.Duty)
	}
	for _, path := range p.Read {
		a.files = append(a.files, landlock.Path{Name: path, Right: landlock.Read})
	}
	if p.Home != "" {
		a.files = append(a.files, landlock.Path{Name: p.Home, Right: landlock.Own})
	}
	loader, err := loaderOf(program)
	if err != nil {
		return nil, err
	}
	if loader != "" {
		a.files = append(a.files, landlock.Path{Name: loader, Right: landlock.Execute | landlock.ReadFile})
	}
	return a, nil
}
