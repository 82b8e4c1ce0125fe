package menu

import (
	"errors"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"goldm/internal/desktopentry"
)

// browsers open the links of the web where no desktop file says what does; Debian's
// alternatives.
var browsers = []string{"x-www-browser", "gnome-www-browser"}

// addLinks adds an entry for each scheme whose links open on the client, and the list
// that makes it the default.
func (c *collector) addLinks() {
	if len(c.URLs) == 0 {
		return
	}
	openers := c.openers()
	defaults := &desktopentry.Group{Name: "Default Applications"}
	added := &desktopentry.Group{Name: "Added Associations"}
	for _, scheme := range c.URLs {
		mime := "x-scheme-handler/" + scheme
		entry, err := c.handler(scheme, mime, openers[mime])
		if err != nil {
			c.log.Warn("no program of this client opens these links", "scheme", scheme, "err", err)
			continue
		}
		g := entry.Group(desktopentry.Entry)
		g.Set("NoDisplay", "true")
		g.Lines = append(g.Lines, desktopentry.Line{Key: "MimeType", Value: mime + ";"})
		id := Prefix + "url-" + scheme + suffix
		if err := c.add(path.Join(share, "applications", id), entry.Bytes()); err != nil {
			c.log.Warn("links do not open on the client", "scheme", scheme, "err", err)
			continue
		}
		line := desktopentry.Line{Key: mime, Value: id + ";"}
		defaults.Lines, added.Lines = append(defaults.Lines, line), append(added.Lines, line)
	}
	if len(defaults.Lines) == 0 {
		return
	}
	list := desktopentry.File{Groups: []*desktopentry.Group{defaults, added}}
	if err := c.add(path.Join(config, "mimeapps.list"), list.Bytes()); err != nil {
		c.log.Warn("links do not open on the client", "err", err)
	}
}

// handler returns the entry of the program that opens the links of a scheme on the
// client: its default, else the first of those that can.
func (c *collector) handler(scheme, mime string, can []string) (*desktopentry.File, error) {
	for _, id := range slices.Concat(c.defaults(mime), can) {
		if entry, err := c.opener(c.sources[id]); err == nil {
			return entry, nil
		}
	}
	if scheme == "http" || scheme == "https" {
		for _, browser := range browsers {
			if c.mayRun(browser) == nil {
				return browserEntry(browser), nil
			}
		}
	}
	return nil, errors.New("no desktop file says that it does")
}

// defaults returns the ids that the client's lists name, in the order of the MIME
// Applications Specification. defaults.list is its older form.
func (c *collector) defaults(mime string) []string {
	var lists []string
	for _, dir := range c.ConfigDirs {
		lists = append(lists, filepath.Join(dir, "mimeapps.list"))
	}
	for _, dir := range c.DataDirs {
		lists = append(lists, filepath.Join(dir, "applications/mimeapps.list"), filepath.Join(dir, "applications/defaults.list"))
	}
	var ids []string
	for _, list := range lists {
		file, _, err := read(list)
		if err != nil {
			continue // most clients have none of them
		}
		for _, name := range file.Group("Default Applications").List(mime) {
			if id := name[:max(0, len(name)-len(suffix))]; id+suffix == name && c.sources[id] != "" {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// openers maps types to the ids of the entries that open them, those in menus first.
func (c *collector) openers() map[string][]string {
	shown, hidden := make(map[string][]string), make(map[string][]string)
	for _, id := range slices.Sorted(maps.Keys(c.sources)) {
		file, _, err := read(c.sources[id])
		if err != nil {
			continue
		}
		g, of := file.Group(desktopentry.Entry), shown
		if forMenus(g) != nil {
			of = hidden
		}
		for _, mime := range g.List("MimeType") {
			of[mime] = append(of[mime], id)
		}
	}
	for mime, ids := range hidden {
		shown[mime] = append(shown[mime], ids...)
	}
	return shown
}

// opener makes an entry that only opens links, with the program of another one.
func (c *collector) opener(source string) (*desktopentry.File, error) {
	file, _, err := read(source)
	if err != nil {
		return nil, err
	}
	g := file.Group(desktopentry.Entry)
	if g.Bool("Hidden") {
		return nil, errLeftOut
	}
	entry, err := c.rewrite(file, source)
	if err != nil {
		return nil, err
	}
	opener := entry.Group(desktopentry.Entry)
	opener.Lines = slices.DeleteFunc(opener.Lines, func(l desktopentry.Line) bool {
		return l.Key == "Actions" || l.Key == "MimeType" || l.Key == "OnlyShowIn" || l.Key == "NotShowIn"
	})
	words, err := desktopentry.SplitExec(opener.Get("Exec"))
	if err != nil {
		return nil, err
	}
	if !slices.Contains(words, "%u") && !slices.Contains(words, "%U") {
		words = slices.DeleteFunc(words, func(word string) bool { return word == "%f" || word == "%F" })
		opener.Set("Exec", desktopentry.JoinExec(append(words, "%u")))
	}
	return &desktopentry.File{Groups: []*desktopentry.Group{opener}}, nil
}

// browserEntry is the entry of a browser that has no desktop file.
func browserEntry(program string) *desktopentry.File {
	g := &desktopentry.Group{Name: desktopentry.Entry}
	for _, kv := range [][2]string{
		{"Type", "Application"}, {"Name", "Web Browser"}, {"TryExec", Asker}, {"Exec", Asker + " -- " + program + " %u"},
	} {
		g.Set(kv[0], kv[1])
	}
	return &desktopentry.File{Groups: []*desktopentry.Group{g}}
}
