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

	"goldm/internal/cgroup"
	"goldm/internal/supervise"
)

// unmountLimit is how long a folder may take to go away; what uses it goes on without.
const unmountLimit = 5 * time.Second

// folder is one folder of the server that is mounted.
type folder struct {
	path    string
	point   string             // in the room's stage
	process *supervise.Process // sshfs
	done    func()             // with its output
}

// environment is that of our own processes in a room.
var environment = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}

// start mounts a folder and starts what serves it. It may not be ready yet.
func (h *Home) start(ctx context.Context, path string, socket *os.File) (*folder, error) {
	c := h.config
	point, ok := c.Room.Point(path)
	if !ok {
		return nil, errOutside
	}
	words, err := json.Marshal(plan{User: c.User, Parent: os.Getpid(), Path: path, Point: point})
	if err != nil {
		return nil, err
	}
	reports, report, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reports.Close()
	stage, mounts, err := c.Room.Namespaces()
	if err != nil {
		report.Close()
		return nil, err
	}
	files := []*os.File{stage, mounts, report} // stageFD, mountsFD, reportFD
	out, done, err := c.Output("sshfs")
	if err != nil {
		closeAll(files)
		return nil, err
	}
	process, err := c.Cgroup.Start(c.Group, supervise.Command{
		Name: "sshfs", Log: c.Log,
		Args: slices.Concat(c.Self, []string{"mount", string(words)}), Env: environment, Dir: "/",
		Files: files,
		// What it starts ends with it. It is no process of the room, whose programs it outlives.
		Namespaces: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC,
		Stdin:      socket, Stdout: socket, Stderr: out,
	}, cgroup.Service)
	out.Close()
	if err == nil {
		if err = hear(ctx, reports); err != nil {
			process.Kill()
		}
	}
	if err != nil {
		done()
		return nil, err
	}
	return &folder{path: path, point: point, process: process, done: done}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// hear reads what the new process says of its work.
func hear(ctx context.Context, reports *os.File) error {
	defer context.AfterFunc(ctx, func() { reports.SetReadDeadline(time.Now()) })()
	text, err := io.ReadAll(io.LimitReader(reports, maxReport))
	if err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("mount: no report: %w", err)
	}
	switch {
	case r.Missing:
		return errNoProgram
	case r.Trouble != "":
		return errors.New(r.Trouble)
	}
	return nil
}

// unmount takes folders away, whoever uses them.
func (h *Home) unmount(folders ...*folder) {
	if len(folders) == 0 {
		return
	}
	c := h.config
	var points []string
	for _, f := range folders {
		points = append(points, f.point)
	}
	words, err := json.Marshal(points)
	if err != nil {
		return
	}
	stage, mounts, err := c.Room.Namespaces()
	if err != nil {
		return // the room is gone, and the stage with it
	}
	mounts.Close()
	process, err := c.Group.Start(supervise.Command{
		Name: "unmount", Log: c.Log,
		Args: slices.Concat(c.Self, []string{"unmount", string(words)}), Env: environment, Dir: "/",
		Files: []*os.File{stage},
	})
	if err == nil {
		late := time.AfterFunc(unmountLimit, process.Kill)
		err = process.Err()
		late.Stop()
	}
	if err != nil {
		c.Log.Warn("a folder of the server is still mounted", "cause", err)
	}
}
