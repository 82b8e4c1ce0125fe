package menu

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"goldm/internal/desktopentry"
)

// Asker is the program that asks the client to run a command.
const Asker = "ltsp-localapps"

// kept are the keys that are taken over, with their translations. Others are about
// files of the client, such as Path, or start the program in another way, such as
// DBusActivatable.
var kept = []string{
	"Version", "Type", "Name", "GenericName", "X-GNOME-FullName", "Comment", "Keywords", "Categories", "MimeType",
	"OnlyShowIn", "NotShowIn", "StartupNotify", "StartupWMClass", "SingleMainWindow", "InitialPreference",
}

// rewrite makes an entry for the server of one of the client's.
func (c *collector) rewrite(file *desktopentry.File, source string) (*desktopentry.File, error) {
	from := file.Group(desktopentry.Entry)
	switch {
	case from == nil:
		return nil, errors.New("no desktop entry")
	case from.Get("Type") != "Application":
		return nil, fmt.Errorf("%w: not an application", errLeftOut)
	case from.Get("Name") == "":
		return nil, errors.New("no Name")
	case from.Get("TryExec") != "" && c.look(from.Get("TryExec")) == "":
		return nil, fmt.Errorf("%w: no program %.200q", errLeftOut, from.Get("TryExec"))
	}
	entry, err := c.rewriteGroup(from, from, source, kept)
	if err != nil {
		return nil, err
	}
	entry.Set("TryExec", Asker) // so that a server without it shows no dead entries
	out := &desktopentry.File{Groups: []*desktopentry.Group{entry}}
	var actions []string
	for _, id := range from.List("Actions") {
		g := file.Group("Desktop Action " + id)
		if g == nil || slices.Contains(actions, id) || strings.ContainsAny(id, ";\\") {
			continue
		}
		action, err := c.rewriteGroup(g, from, source, []string{"Name", "OnlyShowIn", "NotShowIn"})
		if err != nil {
			c.log.Debug("action left out", "file", source, "action", id, "why", err)
			continue
		}
		out.Groups = append(out.Groups, action)
		actions = append(actions, id)
	}
	if len(actions) > 0 {
		entry.Lines = append(entry.Lines, desktopentry.Line{Key: "Actions", Value: strings.Join(actions, ";") + ";"})
	}
	return out, nil
}

// rewriteGroup rewrites the group of an entry, or of one of its actions.
func (c *collector) rewriteGroup(g, entry *desktopentry.Group, source string, keys []string) (*desktopentry.Group, error) {
	icon := g.Get("Icon")
	command, err := c.command(g.Get("Exec"), icon, source, entry.Bool("Terminal"))
	if err != nil {
		return nil, err
	}
	out := &desktopentry.Group{Name: g.Name}
	for _, line := range g.Lines {
		if slices.Contains(keys, line.Key) {
			out.Lines = append(out.Lines, line)
		}
	}
	if icon != "" {
		out.Set("Icon", c.icon(icon))
	}
	out.Set("Exec", desktopentry.JoinExec(command))
	return out, nil
}

// command makes the words of an Exec that has the client run what another one says.
// Codes for files and links stay: the server's launcher knows those.
func (c *collector) command(exec, icon, source string, inTerminal bool) ([]string, error) {
	words, err := desktopentry.SplitExec(exec)
	if err != nil {
		return nil, err
	}
	command := []string{Asker, "--"}
	if inTerminal {
		if c.terminal == nil {
			return nil, errors.New("no terminal to run it in")
		}
		command = append(command, c.terminal...)
	}
	begin := len(command)
	for _, word := range words {
		command = append(command, expand(word, icon, source)...)
	}
	if len(command) == begin {
		return nil, errors.New("no Exec")
	}
	return command, c.mayRun(strings.ReplaceAll(command[begin], "%%", "%"))
}

// expand resolves the field codes in a word of Exec that mean something of the
// client's, and drops those that mean nothing any more (Desktop Entry Specification,
// "The Exec key").
func expand(word, icon, source string) []string {
	if word == "%i" {
		if icon == "" {
			return nil
		}
		return []string{"--icon", percent(icon)}
	}
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '%' || i+1 == len(word) {
			b.WriteString(percent(word[i : i+1]))
			continue
		}
		i++
		switch word[i] {
		case 'f', 'F', 'u', 'U', 'c', '%':
			b.WriteString(word[i-1 : i+1])
		case 'k':
			b.WriteString(percent(source))
		}
	}
	if b.Len() == 0 && word != "" {
		return nil
	}
	return []string{b.String()}
}

// percent makes percent signs stand for themselves.
func percent(text string) string { return strings.ReplaceAll(text, "%", "%%") }
