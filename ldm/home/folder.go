package home

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/supervise"
)

// folder is one folder of the server that is mounted.
type folder struct {
	path    string
	process *supervise.Process // sshfs
	done    func()             // with its output
}

// environment is that of our own processes in a room.
var environment = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}

// start mounts a folder and starts what serves it. It may not be ready yet.
func (h *Home) start(ctx context.Context, path, prefix string, socket *os.File) (*folder, error) {
	c := h.config
	words, err := json.Marshal(plan{User: c.User, Parent: os.Getpid(), Path: path, Prefix: prefix, Covers: h.covers})
	if err != nil {
		return nil, err
	}
	inside, err := h.config.Room.Pidfd()
	if err != nil {
		return nil, err
	}
	reports, report, err := os.Pipe()
	if err != nil {
		inside.Close()
		return nil, err
	}
	defer reports.Close()
	out, done, err := c.Output("sshfs")
	if err != nil {
		inside.Close()
		report.Close()
		return nil, err
	}
	process, err := c.Group.Start(supervise.Command{
		Name: "sshfs", Log: c.Log,
		Args: slices.Concat(c.Self, []string{"mount", string(words)}), Env: environment, Dir: "/",
		Files:      []*os.File{inside, report}, // roomFD, reportFD
		Namespaces: unix.CLONE_NEWNET,
		Stdin:      socket, Stdout: socket, Stderr: out,
	})
	out.Close()
	if err == nil {
		if err = h.hear(ctx, reports); err != nil {
			process.Stop(0)
		}
	}
	if err != nil {
		done()
		return nil, err
	}
	return &folder{path: path, process: process, done: done}, nil
}

// hear reads what the new process says of its work in the room.
func (h *Home) hear(ctx context.Context, reports *os.File) error {
	defer context.AfterFunc(ctx, func() { reports.SetReadDeadline(time.Now()) })()
	text, err := io.ReadAll(io.LimitReader(reports, maxReport))
	if err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("mount: no report: %w", err)
	}
	if r.Cover != "" {
		h.covers = append(h.covers, r.Cover)
	}
	switch {
	case r.Missing:
		return errNoProgram
	case r.Trouble != "":
		return errors.New(r.Trouble)
	}
	return nil
}

// unmount takes folders away, whoever uses them. Those of a room that is gone
// are gone with it.
func (h *Home) unmount(paths []string) {
	if len(paths) == 0 {
		return
	}
	c := h.config
	inside, err := h.config.Room.Pidfd()
	if err != nil {
		return
	}
	words, err := json.Marshal(paths)
	if err != nil {
		inside.Close()
		return
	}
	process, err := c.Group.Start(supervise.Command{
		Name: "unmount", Log: c.Log,
		Args: slices.Concat(c.Self, []string{"unmount", string(words)}), Env: environment, Dir: "/",
		Files: []*os.File{inside},
	})
	if err == nil {
		err = process.Err()
	}
	if err != nil {
		c.Log.Info("nothing to unmount", "cause", err)
	}
}
