package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"goldm/internal/via"
	"goldm/ldm/localuser"
	"goldm/ldm/sound"
	"goldm/ldm/wire"
)

// Settings are the effective settings of one client.
type Settings struct {
	Servers    []string // host or host:port, in order
	KnownHosts []string // files of the servers' host keys

	Session, ForceSession   string
	Language, ForceLanguage string
	XSession                string // the session script on the server

	Users []string // who may log in; empty for everybody

	LimitOne, LimitPrompt bool // see OneSession

	Autologin, Guest   bool
	Username, Password string   // of both
	GuestServers       []string // empty for Servers
	Discover           bool     // use servers that Servers name, too
	LoginTimeout       int      // seconds
	AbortKey           bool     // Ctrl+Alt+Backspace ends a session

	Greeter []string // command
	XServer []string // command; its first word alone where no options are given
	XRoot   bool     // the X server runs as root
	X11     via.Way  // how the session reaches the display

	Sound       bool
	SoundDaemon string // one of sound.Names
	Volume      int    // percent
	Mic         bool
	UIDs        localuser.Range // of local users

	Apps          Apps
	LogoutActions []string // what a session may ask for at its end: wire.Halt, wire.Reboot

	LogLevel slog.Level

	Values   map[string]Value // all of them, as text, defaults included
	Problems []Problem
	Warnings []Problem // about the file's rights; all that it says takes effect
}

// DefaultKnownHosts is where a client's image holds its servers' keys.
const DefaultKnownHosts = "/etc/ssh/ssh_known_hosts"

// setting is one name that ldm understands; text that check does not like falls
// back to the default.
type setting struct {
	name     string
	fallback string
	set      func(s *Settings, text string) error
}

// settings lists the names in the order in which they are applied.
var settings = []setting{
	{"LDM_SERVER", "server", func(s *Settings, text string) error {
		if len(list(text)) == 0 {
			return fmt.Errorf("expected at least one server")
		}
		return setServers(&s.Servers, text)
	}},
	{"LDM_SERVER_DISCOVER", "false", func(s *Settings, text string) error { return setBool(&s.Discover, text) }},
	{"LDM_GUEST_SERVER", "", func(s *Settings, text string) error { return setServers(&s.GuestServers, text) }},
	{"SSH_OVERRIDE_PORT", "", setPort},
	{"LDM_SSH_PORT", "", setPort},
	{"LDM_SSH_KNOWN_HOSTS", DefaultKnownHosts, func(s *Settings, text string) error {
		s.KnownHosts = []string{text}
		return absolute(text)
	}},
	{"LDM_SESSION", "", func(s *Settings, text string) error { s.Session = text; return nil }},
	{"LDM_FORCE_SESSION", "", func(s *Settings, text string) error { s.ForceSession = text; return nil }},
	{"LDM_LANGUAGE", "", func(s *Settings, text string) error { s.Language = text; return nil }},
	{"LDM_FORCE_LANGUAGE", "", func(s *Settings, text string) error { s.ForceLanguage = text; return nil }},
	{"LDM_XSESSION", "", func(s *Settings, text string) error {
		s.XSession = text
		if text == "" {
			return nil
		}
		return absolute(text)
	}},
	{"LDM_USER_ALLOW", "", func(s *Settings, text string) error { s.Users = list(text); return nil }},
	{"LDM_LIMIT_ONE_SESSION", "false", func(s *Settings, text string) error { return setBool(&s.LimitOne, text) }},
	{"LDM_LIMIT_ONE_SESSION_PROMPT", "false", func(s *Settings, text string) error { return setBool(&s.LimitPrompt, text) }},
	{"LDM_AUTOLOGIN", "false", func(s *Settings, text string) error { return setBool(&s.Autologin, text) }},
	{"LDM_GUESTLOGIN", "false", func(s *Settings, text string) error { return setBool(&s.Guest, text) }},
	{"LDM_USERNAME", "", func(s *Settings, text string) error { s.Username = text; return nil }},
	{"LDM_PASSWORD", "", func(s *Settings, text string) error { s.Password = text; return nil }},
	{"LDM_LOGIN_TIMEOUT", "0", func(s *Settings, text string) error {
		seconds, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return fmt.Errorf("expected seconds, 0 to 65535")
		}
		s.LoginTimeout = int(seconds)
		return nil
	}},
	{"LDM_ABORT_KEY", "false", func(s *Settings, text string) error { return setBool(&s.AbortKey, text) }},
	{"LDM_GREETER", "ldm-greeter", func(s *Settings, text string) error { return setCommand(&s.Greeter, text) }},
	{"XSERVER", "Xorg", func(s *Settings, text string) error { return setCommand(&s.XServer, text) }},
	{"LDM_X11", via.Auto.String(), func(s *Settings, text string) error {
		return s.X11.UnmarshalText([]byte(strings.ToLower(text)))
	}},
	{"LDM_DIRECTX", "false", setDirect},
	{"LDM_XROOT", "false", func(s *Settings, text string) error { return setBool(&s.XRoot, text) }},
	{"SOUND", "true", func(s *Settings, text string) error { return setBool(&s.Sound, text) }},
	{"SOUND_DAEMON", sound.Auto, func(s *Settings, text string) error {
		s.SoundDaemon = strings.ToLower(text)
		if !slices.Contains(sound.Names(), s.SoundDaemon) {
			return fmt.Errorf("expected %s", strings.Join(sound.Names(), ", "))
		}
		return nil
	}},
	{"VOLUME", "90", func(s *Settings, text string) error {
		percent, err := strconv.ParseUint(strings.TrimSuffix(text, "%"), 10, 8)
		if err != nil || percent > 100 {
			return fmt.Errorf("expected percent, 0 to 100")
		}
		s.Volume = int(percent)
		return nil
	}},
	{"MIC", "true", func(s *Settings, text string) error { return setBool(&s.Mic, text) }},
	{"LDM_UID_RANGE", "30000-39999", func(s *Settings, text string) (err error) {
		s.UIDs, err = localuser.ParseRange(text)
		return err
	}},
	{"LOCAL_APPS", "false", func(s *Settings, text string) error { return setBool(&s.Apps.On, text) }},
	{"LOCAL_APPS_WHITELIST", "", func(s *Settings, text string) error { return setWhitelist(&s.Apps, text) }},
	{"LOCAL_APPS_MENU", "false", func(s *Settings, text string) error { return setBool(&s.Apps.Menu, text) }},
	{"LOCAL_APPS_MENU_ITEMS", "", func(s *Settings, text string) error { return setItems(&s.Apps.MenuItems, text) }},
	{"LOCAL_APPS_EXTRAMOUNTS", "", func(s *Settings, text string) error { return setFolders(&s.Apps.Mounts, text) }},
	{"LOCAL_APPS_HOME_PREFIXES", "/home", func(s *Settings, text string) error { return setFolders(&s.Apps.Homes, text) }},
	{"LOCAL_APPS_URLS", "", func(s *Settings, text string) error { return setSchemes(&s.Apps.URLs, text) }},
	{"LDM_LOGOUT_ACTION", wire.Halt + " " + wire.Reboot, func(s *Settings, text string) error {
		return setActions(&s.LogoutActions, text)
	}},
	{"LDM_LOGLEVEL", "info", func(s *Settings, text string) error {
		if err := s.LogLevel.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("expected debug, info, warn or error")
		}
		return nil
	}},
}

// Load returns the settings of client c from the first of paths that exists.
// The error is about a file that cannot be read; the settings are the defaults
// then, for a client with no login screen helps nobody.
func Load(paths []string, c Client) (*Settings, error) {
	l, err := gather(paths, c)
	values := l.values
	s := &Settings{Values: make(map[string]Value), Problems: l.problems, Warnings: l.warnings}
	for name := range values {
		if strings.HasPrefix(name, "LDM_") && !known(name) {
			s.Problems = append(s.Problems, problem(values[name], "%s %s", name, verdict(name)))
		}
	}
	for _, setting := range settings {
		value, given := values[setting.name]
		if given {
			if err := setting.set(s, value.Text); err != nil {
				s.Problems = append(s.Problems, problem(value, "%s: %v", setting.name, err))
				given = false
			}
		}
		if !given {
			value = Value{Text: setting.fallback, Source: "default"}
			if err := setting.set(s, setting.fallback); err != nil && setting.fallback != "" {
				return nil, fmt.Errorf("default of %s: %w", setting.name, err)
			}
		}
		if secret := setting.name == "LDM_PASSWORD"; secret && value.Text != "" {
			value.Text = "(not shown)"
		}
		s.Values[setting.name] = value
	}
	s.Username = cmp.Or(s.Username, c.Hostname)
	s.Password = cmp.Or(s.Password, s.Username)
	slices.SortFunc(s.Problems, func(a, b Problem) int { return a.Line - b.Line })
	return s, err
}

// OneSession returns what a login does about other sessions of the user, as in
// wire.Login.
func (s *Settings) OneSession() string {
	switch {
	case !s.LimitOne:
		return ""
	case s.LimitPrompt:
		return wire.AskOthers
	}
	return wire.EndOthers
}

// Names returns the names of Values, sorted.
func (s *Settings) Names() []string { return slices.Sorted(maps.Keys(s.Values)) }

func problem(v Value, format string, args ...any) Problem {
	file, line, _ := strings.Cut(v.Source, ":")
	number, _ := strconv.Atoi(line) // Source is file:line
	return Problem{File: file, Line: number, Text: fmt.Sprintf(format, args...)}
}

func setBool(to *bool, text string) error {
	switch strings.ToLower(text) {
	case "true", "y", "yes", "1":
		*to = true
	case "false", "n", "no", "0", "":
		*to = false
	default:
		return fmt.Errorf("expected true or false")
	}
	return nil
}

func setCommand(to *[]string, text string) error {
	*to = strings.Fields(text)
	if len(*to) == 0 {
		return fmt.Errorf("expected a command")
	}
	return nil
}

// setDirect takes LTSP's own name for one of the values of LDM_X11, which comes before and counts.
func setDirect(s *Settings, text string) error {
	var direct bool
	if err := setBool(&direct, text); err != nil || !direct {
		return err
	}
	if s.X11 != via.Auto && s.X11 != via.Direct {
		return fmt.Errorf("LDM_X11=%v counts, and is something else", s.X11)
	}
	s.X11 = via.Direct
	return nil
}

func absolute(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("expected a path that starts with /")
	}
	return nil
}

// list splits a value at blanks and commas.
func list(text string) []string { return strings.Fields(strings.ReplaceAll(text, ",", " ")) }

func setServers(to *[]string, text string) error {
	servers := list(text)
	for _, server := range servers {
		if err := checkServer(server); err != nil {
			return err
		}
	}
	*to = servers
	return nil
}

// setPort gives a port to the servers that have none of their own.
func setPort(s *Settings, text string) error {
	if text == "" {
		return nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("expected a port from 1 to 65535")
	}
	for _, servers := range [][]string{s.Servers, s.GuestServers} {
		for i, server := range servers {
			if _, _, err := net.SplitHostPort(server); err != nil {
				servers[i] = net.JoinHostPort(strings.Trim(server, "[]"), text)
			}
		}
	}
	return nil
}

// checkServer accepts host, host:port, [v6] and [v6]:port.
func checkServer(server string) error {
	host := server
	if h, port, err := net.SplitHostPort(server); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%s: expected a port from 1 to 65535", server)
		}
		host = h
	}
	host = strings.Trim(host, "[]")
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._:%", r)
	}
	if host == "" || host[0] == '-' || strings.ContainsFunc(host, func(r rune) bool { return !plain(r) }) {
		return fmt.Errorf("%.60q: expected a host name or an address", server)
	}
	return nil
}
