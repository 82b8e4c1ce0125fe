package sound

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Daemon is one of the daemons that this package can run.
type Daemon struct {
	name      string
	processes []process
	files     func(c *Config) map[string]string // configuration, by path below configDir
	env       func(c *Config) []string
}

func (d *Daemon) String() string { return d.name }

// process is a program of a daemon.
type process struct {
	args    []string
	options func(c *Config) []string // further ones; may be nil
	serves  bool                     // gets the socket
	network bool                     // sees the machine's network
	after   []string                 // names in the runtime folder to wait for
}

// Auto leaves the choice to what is installed.
const Auto = "auto"

// PipeWire first: where a distribution has both complete, it is the one in use.
var daemons = []*Daemon{&pipeWire, &pulseAudio}

// Names are the daemons that Choose knows.
func Names() []string {
	names := []string{Auto}
	for _, d := range daemons {
		names = append(names, d.name)
	}
	return names
}

// Choose returns a daemon by name, or for Auto the first that is installed.
func Choose(name string) (*Daemon, error) {
	var missing []string
	for _, d := range daemons {
		if name != Auto && name != d.name {
			continue
		}
		program := d.missing()
		if program == "" {
			return d, nil
		}
		missing = append(missing, program)
	}
	return nil, fmt.Errorf("not installed: %s", strings.Join(missing, ", "))
}

// missing returns the first of the daemon's programs that is not there.
func (d *Daemon) missing() string {
	for _, p := range d.processes {
		if _, err := exec.LookPath(p.args[0]); err != nil {
			return p.args[0]
		}
	}
	return ""
}

// cubic turns percents, which PulseAudio's programs show, into a linear factor.
func cubic(percent int) float64 {
	v := float64(percent) / 100
	return v * v * v
}

func (c *Config) path(name string) string { return filepath.Join(c.Dir, name) }
