package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"goldm/ldm/wire"
)

// Apps are the settings for programs that run on the client for a session on
// the server.
type Apps struct {
	On        bool
	Whitelist []string // names, or absolute paths; empty for all on the client's PATH
	Menu      bool
	MenuItems []string // ids of desktop files, without the suffix; empty for all
	Mounts    []string // folders of the server, absolute, beside the home
	Homes     []string // absolute folders, in one of which a home has to lie
	URLs      []string // schemes, in lower case
}

// setWhitelist takes names and absolute paths. The default, no list, allows all:
// so a list that makes no sense allows nothing.
func setWhitelist(a *Apps, text string) error {
	words := list(text)
	for _, word := range words {
		if strings.Contains(word, "/") && !filepath.IsAbs(word) {
			a.On = false
			return fmt.Errorf("%.60q: expected a name, or a path that starts with /; LOCAL_APPS is off", word)
		}
	}
	a.Whitelist = words
	return nil
}

// setItems takes ids of desktop files, with or without their suffix.
func setItems(to *[]string, text string) error {
	words := list(text)
	for i, word := range words {
		words[i] = strings.TrimSuffix(word, ".desktop")
		if words[i] == "" || strings.Contains(word, "/") {
			return fmt.Errorf("%.60q: expected the name of a desktop file, without its folder", word)
		}
	}
	*to = words
	return nil
}

// setFolders takes absolute paths, none of which is everything.
func setFolders(to *[]string, text string) error {
	folders := list(text)
	for i, folder := range folders {
		folders[i] = filepath.Clean(folder)
		if !filepath.IsAbs(folder) || folders[i] == "/" {
			return fmt.Errorf("%.60q: expected a folder that starts with / and is not all of it", folder)
		}
	}
	*to = folders
	return nil
}

// setSchemes takes schemes of URLs (RFC 3986, 3.1), with or without what
// follows them.
func setSchemes(to *[]string, text string) error {
	schemes := list(text)
	for i, scheme := range schemes {
		name, _, _ := strings.Cut(strings.ToLower(scheme), ":")
		other := func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("+-.", r)
		}
		if name == "" || name[0] < 'a' || name[0] > 'z' || strings.ContainsFunc(name, other) {
			return fmt.Errorf("%.60q: expected a scheme such as https", scheme)
		}
		schemes[i] = name
	}
	*to = schemes
	return nil
}

// setActions takes what a session may ask for when it has ended.
func setActions(to *[]string, text string) error {
	actions := list(strings.ToLower(text))
	if len(actions) == 1 && slices.Contains([]string{"none", "no", "false"}, actions[0]) {
		actions = nil
	}
	for _, action := range actions {
		if !slices.Contains([]string{wire.Halt, wire.Reboot}, action) {
			return fmt.Errorf("expected %s, %s, both or none", wire.Halt, wire.Reboot)
		}
	}
	*to = actions
	return nil
}
