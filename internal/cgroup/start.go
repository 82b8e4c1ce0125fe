package cgroup

import (
	"os"

	"goldm/internal/supervise"
)

// Kind says what becomes of a process where the login's memory is used up.
type Kind bool

// The kinds of processes.
const (
	Service Kind = false // it serves the session
	Program Kind = true  // a person started it: it is killed with all that it started
)

// Start starts a process in a cgroup of its own, which goes with it. A nil Login is one
// without cgroups.
func (l *Login) Start(g *supervise.Group, c supervise.Command, kind Kind) (*supervise.Process, error) {
	if l == nil {
		return g.Start(c)
	}
	leaf, err := l.make(c.Name, kind)
	if err != nil {
		closeAll(c.Files)
		return nil, err
	}
	c.Cgroup = leaf.File()
	process, err := g.Start(c)
	if err != nil {
		leaf.Close()
		return nil, err
	}
	l.ends.Go(func() {
		<-process.Done()
		leaf.Close()
	})
	return process, nil
}

func (l *Login) make(name string, kind Kind) (*Leaf, error) {
	if kind == Program {
		return l.Program(name)
	}
	return l.Service(name)
}

// closeAll does what supervise does with a command's files.
func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
