package wire

import "os"

// Apps says how the session may use programs of the client.
type Apps struct {
	Menu  bool     `json:"menu,omitempty"`  // the client's programs appear in the desktop's menus
	Items []string `json:"items,omitempty"` // ids of desktop files, without the suffix; empty for all
	URLs  []string `json:"urls,omitempty"`  // schemes whose links open on the client, such as "https"

	// Allowed are names and absolute paths of the programs that may run, so that menus offer
	// no others; empty for each that has a name in the usual folders.
	Allowed []string `json:"allowed,omitempty"`
}

// Run asks ldm to run a program on the client as the login's local user. It names
// nobody: whose program it becomes is not the worker's to say.
type Run struct {
	ID      uint32   `json:"id"`                // of the request, in this login; Ran names it
	Args    []string `json:"args"`              // the first is a name or a path on the client
	Dir     string   `json:"dir,omitempty"`     // absolute working directory; where it is not on the client, the home
	Startup string   `json:"startup,omitempty"` // the startup notification's id, DESKTOP_STARTUP_ID
}

// The values of Ran.State.
const (
	Denied   = "denied"    // the client's policy forbids it
	NotFound = "not found" // the client has no such program
	Faulty   = "failed"    // it is allowed and there, and could not be started
	Running  = "started"   // it runs; Exited follows
	Exited   = "exited"    // it has ended
)

// Ran says what became of a Run. The last state of each is not Running.
type Ran struct {
	ID     uint32 `json:"id"`
	State  string `json:"state"`
	PID    int    `json:"pid,omitempty"`    // where it is Running
	Status int    `json:"status,omitempty"` // where it is Exited: as a shell has it, 128 and more for a signal
	Reason string `json:"reason,omitempty"` // a sentence for who asked, where it is Denied, NotFound or Faulty
}

// NeedHome asks the worker for the home directory's channel; Home answers it.
type NeedHome struct {
	ID    uint32   `json:"id"`              // of the request; Home names it
	Extra []string `json:"extra,omitempty"` // further absolute paths that are to be mounted
}

// Home hands over SFTP channels of the login's connection (draft-ietf-secsh-filexfer-02),
// one for a folder. What is in Paths is the server's word.
type Home struct {
	ID     uint32   `json:"id"`
	Paths  []string `json:"paths,omitempty"`  // absolute, on the server; the home first
	Detail string   `json:"detail,omitempty"` // why there are none, for the log

	// Files are the ends of the channels, stream sockets, in the order of Paths.
	// They travel beside the message (unix(7), SCM_RIGHTS).
	Files []*os.File `json:"-"`
}

// LogoutAction asks for something once the session has ended, as LTSP 5's
// LTSP_LOGOUT_ACTION does.
type LogoutAction struct {
	Action string `json:"action"` // Halt or Reboot
}

// The values of LogoutAction.Action.
const (
	Halt   = "halt"
	Reboot = "reboot"
)
