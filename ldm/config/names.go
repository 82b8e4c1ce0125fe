package config

import (
	"slices"

	"goldm/internal/cli"
)

// later lists the names of LTSP 5's LDM that this version does not act on yet:
// an administrator who sets one is told, and not that it is misspelt.
var later = []string{
	"LDM_GREETER_TTY", "LDM_SCALE",
	"LDM_SYSLOG", "LDM_THEME",
}

func known(name string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return s.name == name })
}

// verdict says what is wrong with a name that starts with LDM_ and is not known.
func verdict(name string) string {
	if slices.Contains(later, name) {
		return "has no effect in this version"
	}
	names := slices.Clone(later)
	for _, s := range settings {
		names = append(names, s.name)
	}
	if near := cli.Nearest(name, names); near != "" {
		return "is not a setting; did you mean " + near + "?"
	}
	return "is not a setting"
}
