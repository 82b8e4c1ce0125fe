package menu

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"goldm/internal/bundle"
	"goldm/internal/desktopentry"
)

// The folders of what Collect returns: of one as XDG_DATA_DIRS lists, and of one as
// XDG_CONFIG_DIRS does.
const (
	share  = "share"
	config = "config"
)

// Prefix is how the ids begin that no desktop file of a server has.
const Prefix = "ltsp-local-"

// Config says what to collect, and from where.
type Config struct {
	Menu  bool     // programs for the menus
	Items []string // ids of those, without the suffix; empty for all
	URLs  []string // schemes whose links open on the client

	// Allowed are names and absolute paths of the programs that the client's policy
	// allows; empty for each that has a name in Folders.
	Allowed []string

	Folders    []string // where programs are looked for by name; nil for the usual ones
	DataDirs   []string // as in XDG_DATA_DIRS; nil for the default
	ConfigDirs []string // as in XDG_CONFIG_DIRS; nil for the default
}

// collector is one collection.
type collector struct {
	Config
	log *slog.Logger

	sources  map[string]string // the path of the desktop file with an id
	terminal []string          // the begin of a command that runs in a terminal
	icons    map[string]string // names that were looked up, and what stands for them
	types    map[string][]string

	files    []bundle.File
	size     int // of the files, in bytes
	iconSize int // of the icons among them
}

// Collect returns the files, packed; there may be none. What cannot be had is
// left out, with a line in the log.
func Collect(cfg Config, log *slog.Logger) ([]byte, error) {
	files := collect(cfg, log)
	packed, err := bundle.Pack(files)
	if err == nil {
		log.Info("programs for the server's menus", "files", len(files), "bytes", len(packed))
	}
	return packed, err
}

func collect(cfg Config, log *slog.Logger) []bundle.File {
	c := &collector{Config: cfg, log: log, icons: make(map[string]string), types: make(map[string][]string)}
	if c.DataDirs == nil {
		c.DataDirs = []string{"/usr/local/share", "/usr/share"}
	}
	if c.ConfigDirs == nil {
		c.ConfigDirs = []string{"/etc/xdg"}
	}
	if c.Folders == nil {
		c.Folders = folders
	}
	c.findSources()
	c.terminal = c.findTerminal()
	if c.Menu {
		c.addMenu()
	}
	c.addLinks()
	return c.files
}

// errLeftOut is why a desktop file is none for a menu, and nobody's mistake.
var errLeftOut = errors.New("not for menus")

// addMenu adds the entries of programs.
func (c *collector) addMenu() {
	ids := slices.Sorted(maps.Keys(c.sources))
	if len(c.Items) > 0 {
		ids = c.Items
	}
	var without []string
	for _, id := range ids {
		source, ok := c.sources[id]
		if !ok {
			c.log.Warn("no desktop file for a menu's item", "id", id)
			continue
		}
		switch err := c.addProgram(id, source); {
		case err == nil:
		case len(c.Items) > 0:
			c.log.Warn("no menu entry for an item", "id", id, "why", err)
		case !errors.Is(err, errLeftOut):
			c.log.Debug("no menu entry", "file", source, "why", err)
			without = append(without, id)
		}
	}
	if len(without) > 0 {
		c.log.Info("programs of the client that cannot be in the menus", "number", len(without),
			"ids", strings.Join(without[:min(len(without), maxNamed)], " "))
	}
	c.addTypes()
}

// maxNamed is how many programs a line of the log names.
const maxNamed = 20

// addProgram adds the entry of a program. One that the administrator has named takes
// the place of the server's of the same id; others stand beside it.
func (c *collector) addProgram(id, source string) error {
	file, raw, err := read(source)
	if err != nil {
		return err
	}
	if file.Group(desktopentry.Entry).Bool("X-LTSP-NoChange") {
		return c.add(path.Join(share, "applications", id+suffix), raw)
	}
	if err := forMenus(file.Group(desktopentry.Entry)); err != nil {
		return err
	}
	entry, err := c.rewrite(file, source)
	if err != nil {
		return err
	}
	if len(c.Items) == 0 {
		id = Prefix + id
	}
	if err := c.add(path.Join(share, "applications", id+suffix), entry.Bytes()); err != nil {
		return err
	}
	for _, mime := range entry.Group(desktopentry.Entry).List("MimeType") {
		if mimeType.MatchString(mime) {
			c.types[mime] = append(c.types[mime], id+suffix)
		}
	}
	return nil
}

// mimeType is the form of a type's name: RFC 6838, 4.2.
var mimeType = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]*/[A-Za-z0-9][A-Za-z0-9_.+-]*$`)

// forMenus tells whether an entry is shown in menus.
func forMenus(g *desktopentry.Group) error {
	for _, key := range []string{"Hidden", "NoDisplay"} {
		if g.Bool(key) {
			return fmt.Errorf("%w: %s", errLeftOut, key)
		}
	}
	return nil
}

// addTypes says what the programs open, in the form of update-desktop-database(1).
func (c *collector) addTypes() {
	g := &desktopentry.Group{Name: "MIME Cache"}
	for _, mime := range slices.Sorted(maps.Keys(c.types)) {
		g.Lines = append(g.Lines, desktopentry.Line{Key: mime, Value: strings.Join(c.types[mime], ";") + ";"})
	}
	if len(g.Lines) == 0 {
		return
	}
	file := desktopentry.File{Groups: []*desktopentry.Group{g}}
	if err := c.add(path.Join(share, "applications", "mimeinfo.cache"), file.Bytes()); err != nil {
		c.log.Warn("the types of files that programs open are not told", "err", err)
	}
}

var errTooMuch = errors.New("there is too much in the menu already")

// add adds a file, if it fits.
func (c *collector) add(name string, data []byte) error {
	if !bundle.ValidPath(name) {
		return errors.New("its name is too odd or too long")
	}
	if c.size+len(data) > bundle.MaxSize || len(c.files) == bundle.MaxFiles {
		return errTooMuch
	}
	c.size += len(data)
	c.files = append(c.files, bundle.File{Path: name, Data: data})
	return nil
}
