package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"goldm/internal/text"
)

// Status is what is known of a seat. None of it is secret, but a name is a person's.
type Status struct {
	Seat     string    `json:"seat"`
	State    string    `json:"state"`             // of ldm/login: idle, running …
	User     string    `json:"user,omitempty"`    // as typed
	Server   string    `json:"server,omitempty"`  // that has authenticated the user
	Since    time.Time `json:"since"`             // of state, user and server
	Display  string    `json:"display,omitempty"` // the X server's, such as ":0"
	Problems []string  `json:"problems"`          // sentences about what is missing on this client

	PID int `json:"pid"` // of ldm
}

var (
	errNotRunning = errors.New("ldm does not run on this computer")
	errNotRoot    = errors.New("the status names users: run this command as root")
)

// name of the file in a seat's folder.
const name = "status.json"

const (
	maxFile = 64 << 10 // bytes of the file
	maxText = 1000     // characters of a line
)

// file is the status with what tells a process from another one.
type file struct {
	Status
	Started uint64 `json:"started"`
}

// Write replaces the status in a seat's folder, which is root's own, as this process's.
// A reader finds the old one or the new one.
func Write(dir string, s Status) error {
	s.PID = os.Getpid()
	started, err := started(s.PID)
	if err != nil {
		return err
	}
	text, err := json.Marshal(file{s, started})
	if err != nil {
		return err
	}
	fresh := filepath.Join(dir, name+".new")
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, filepath.Join(dir, name))
}

// Read returns the status in a seat's folder. A file that a killed ldm left counts as none.
func Read(dir string) (Status, error) {
	f, err := os.Open(filepath.Join(dir, name))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return Status{}, errNotRoot
	case errors.Is(err, fs.ErrNotExist):
		return Status{}, errNotRunning
	case err != nil:
		return Status{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Status{}, err
	}
	content := make([]byte, min(info.Size(), maxFile))
	if _, err := f.ReadAt(content, 0); err != nil {
		return Status{}, err
	}
	var s file
	if err := json.Unmarshal(content, &s); err != nil {
		return Status{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if begun, err := started(s.PID); err != nil || begun != s.Started {
		return Status{}, errNotRunning
	}
	return s.Status, nil
}

// started returns when a process was started, in clock ticks since the boot.
func started(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, field 2, may have any character; the state is field 3.
	fields := strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
	const place = 22 - 3
	if len(fields) <= place {
		return 0, fmt.Errorf("/proc/%d/stat makes no sense", pid)
	}
	return strconv.ParseUint(fields[place], 10, 64)
}

// String is the status for people, a line for each fact.
func (s Status) String() string {
	var b strings.Builder
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s %s\n", what, text.Line(value, maxText))
		}
	}
	line("seat", s.Seat)
	line("state", s.State)
	line("user", s.User)
	line("server", s.Server)
	line("since", s.Since.Local().Format(time.DateTime))
	line("display", s.Display)
	for _, p := range s.Problems {
		line("problem", p)
	}
	return b.String()
}
