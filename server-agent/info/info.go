package info

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"goldm/internal/infowire"
	"goldm/internal/whole"
	"goldm/server-agent/sessions"
	"goldm/server-agent/xsessions"
)

// maxFile bounds what is read of a file, in bytes.
const maxFile = 64 << 10

// Config says where to look. The zero value is this server.
type Config struct {
	Version      string   // of the program
	Capabilities []string // what the agent can do for a session

	Root     string   // the folder that holds proc, etc and usr; empty for /
	DataDirs []string // XDG_DATA_DIRS' folders of sessions; nil for its default, under Root

	// Locales prints this server's locales, one a line; nil for `locale -a`.
	Locales func(context.Context) ([]byte, error)

	// Running counts the sessions; nil for those that this server's processes tell of.
	Running func(context.Context) (int, error)

	// Servers returns the other servers of the cluster; nil for none.
	Servers func() []string

	// Drained tells whether new logins shall go elsewhere; nil for never.
	Drained func() bool
}

// Info is what there is to know at one time.
type Info struct {
	infowire.Info

	XSession string  // the script that prepares an X session; empty where there is none
	Problems []error // what could not be found out, for the administrator
}

// Source gathers Infos. Its methods may be called from several goroutines.
type Source struct {
	Config
	mu      sync.Mutex
	locales locales // which take a program to learn, so they are kept for a while
}

// New returns a source.
func New(c Config) *Source {
	if c.Root == "" {
		c.Root = "/"
	}
	if c.DataDirs == nil {
		for _, dir := range xsessions.Dirs("") {
			c.DataDirs = append(c.DataDirs, filepath.Join(c.Root, dir))
		}
	}
	if c.Locales == nil {
		c.Locales = localeA
	}
	if c.Running == nil {
		c.Running = func(context.Context) (int, error) { return sessions.Count() }
	}
	return &Source{Config: c}
}

// Get gathers what there is to know now.
func (s *Source) Get(ctx context.Context) Info {
	i := Info{Info: infowire.Info{
		Version: infowire.Version, Agent: s.Version, Capabilities: s.Capabilities,
		Sessions: []infowire.Session{}, Languages: []string{},
	}}
	note := func(err error) {
		if err != nil {
			i.Problems = append(i.Problems, err)
		}
	}
	i.offer(s.DataDirs)
	i.Languages = s.languages(ctx, note)
	i.Keyboard = s.keyboard(note)
	i.XSession = xsessions.Script(s.Root)
	s.measure(ctx, &i.Info, note)
	if s.Servers != nil {
		i.Servers = s.Servers()
	}
	i.Drained = s.Drained != nil && s.Drained()
	return i
}

// Measure returns what changes all the time: the rating and the number of sessions.
// Unlike Get it reads no disk and starts no program, so it never hangs.
func (s *Source) Measure(ctx context.Context) (rating, running int) {
	var i infowire.Info
	s.measure(ctx, &i, func(error) {}) // Get tells of problems
	return i.Rating, i.Running
}

func (s *Source) measure(ctx context.Context, i *infowire.Info, note func(error)) {
	i.Load = s.load(note)
	i.Memory = s.memory(note)
	i.Pressure = s.pressure(note)
	i.Running = s.running(ctx, note)
	i.Rating = Rate(*i)
}

// offer lists the desktops.
func (i *Info) offer(dirs []string) {
	found, problems := xsessions.List(dirs)
	i.Problems = append(i.Problems, problems...)
	for _, s := range found {
		i.Sessions = append(i.Sessions, infowire.Session{ID: s.ID, Name: s.Name, Names: s.Translated, Exec: s.Exec})
	}
}

func (s *Source) running(ctx context.Context, note func(error)) int {
	n, err := s.Running(ctx)
	if err != nil {
		note(fmt.Errorf("running sessions: %w", err))
		return infowire.Unknown
	}
	return n
}

// cpus is how many processors this process may use.
func cpus() int { return runtime.NumCPU() }

// read returns what a file of the server holds, or an error that names it.
func (s *Source) read(path string) (string, error) {
	file, err := os.OpenFile(filepath.Join(s.Root, path), os.O_RDONLY|syscall.O_NONBLOCK, 0) // waits for no pipe's writer
	if err != nil {
		return "", err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a plain file", path)
	}
	text, err := whole.Read(file, maxFile)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return string(text), nil
}
