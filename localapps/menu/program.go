package menu

import (
	"fmt"
	"os"
	"path/filepath"
)

// folders are where ldm looks for programs by name.
var folders = []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/games", "/usr/games"}

// terminals are commands that show a program in a terminal, to which its words are
// appended. Debian's policy, 11.8.3, has the first one take -e like xterm.
var terminals = [][]string{
	{"x-terminal-emulator", "-e"},
	{"xterm", "-e"},
	{"xfce4-terminal", "-x"},
	{"mate-terminal", "-x"},
	{"gnome-terminal", "--"},
	{"konsole", "-e"},
}

// findTerminal returns the first terminal that may run here; nil without one.
func (c *collector) findTerminal() []string {
	for _, terminal := range terminals {
		if c.mayRun(terminal[0]) == nil {
			return terminal
		}
	}
	return nil
}

// mayRun tells why ldm would not run a program. It only guesses what the policy says,
// for menus without dead entries: ldm decides.
func (c *collector) mayRun(word string) error {
	wanted := c.look(word)
	if wanted == "" {
		return fmt.Errorf("no program %.200q", word)
	}
	allowed := c.Allowed
	if len(allowed) == 0 {
		allowed = []string{filepath.Base(word)}
	}
	for _, a := range allowed {
		// A file may be several programs, or stand for another by an alternative's name.
		if c.look(a) == wanted && filepath.Base(a) == filepath.Base(word) {
			return nil
		}
	}
	return fmt.Errorf("the policy does not allow %.200q", word)
}

// look returns the file of a program, without links; empty if there is none.
func (c *collector) look(word string) string {
	if filepath.IsAbs(word) {
		return executable(word)
	}
	if word == "" || filepath.Base(word) != word {
		return ""
	}
	for _, folder := range c.Folders {
		if file := executable(filepath.Join(folder, word)); file != "" {
			return file
		}
	}
	return ""
}

func executable(path string) string {
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return ""
	}
	return file
}
